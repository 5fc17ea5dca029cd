// The page of one record: its sections as tabs, a copy button, and up to date by itself.

import { follow, prepare } from "./follow.js";

const shown = () => document.getElementById("record");

prepare(shown(), location.hash.slice(1) || "record-history");
follow(shown, () => location.href, (record) => {
  const chosen = shown().dataset.tab;
  shown().replaceWith(document.adoptNode(record));
  prepare(shown(), chosen);
});
