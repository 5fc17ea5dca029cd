"""Articles and their stock out of Xentral. Stock is read article by article: there is no list of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from urllib.parse import quote

from shared.connectors.contract import Article, ArticleFilter, ArticleKind, Hint, Reason, RemoteError, Sellable
from shared.connectors.xentral.calls import Filter, Raw, XentralCalls, batches
from shared.connectors.xentral.sellable import levels_of, sellable

PATH = "/api/v1/products"


class XentralStock(XentralCalls):
    """Articles of one Xentral instance. Safe for many threads."""

    def articles(self, wanted: ArticleFilter) -> Iterator[list[Article]]:
        """Pages of articles that fit."""
        common: list[Filter] = [("name", "contains", wanted.name)] if wanted.name else []
        if wanted.parent_sku:
            parent = self._product_ids([wanted.parent_sku]).get(wanted.parent_sku)
            if parent is None:
                return
            common.append(("variantOf", "equals", parent))
        key, values = ("number", wanted.skus) if wanted.skus else ("externalReferenceNumber", wanted.foreign_skus)
        if wanted.foreign_skus and self._settings.foreign_target:
            common.append(("externalReferenceTargetId", "equals", self._settings.foreign_target))
        seen: set[str] = set()
        for batch in batches(values) if values else [[]]:
            filters: list[Filter] = [*common, *([(key, "in", batch)] if batch else [])]
            for hits in self._pages("list-articles", PATH, filters):
                # A list may shift while it is read, and one article may answer to several foreign numbers.
                new = [raw for raw in hits if str(raw.get("id")) not in seen]
                seen.update(str(raw.get("id")) for raw in new)
                if page := [article for article in self._shown(new, wanted) if _fits(article, wanted)]:
                    yield page

    def articles_hinted(self, hints: Sequence[Hint]) -> list[Article]:
        """The articles behind hints; those that are gone are left out."""
        ids = list(dict.fromkeys(hint.id for hint in hints if hint.kind == "article"))
        found: list[Article] = []
        for batch in batches(ids):
            for hits in self._pages("list-articles", PATH, [("id", "in", batch)]):
                found += self._shown(hits, ArticleFilter())
        # Their stock is asked for next: that needs their ids, which the hints have brought.
        self._products.learn({article.sku: article.id for article in found})
        return found

    def sellable(self, skus: Sequence[str]) -> Iterator[Sellable]:
        """The quantities now, one call for each."""
        ids = self._product_ids(skus)
        for sku in dict.fromkeys(skus):
            if sku not in ids:
                continue
            try:
                raw = self._data("read-stock", f"{PATH}/{quote(ids[sku], safe='')}/stocks")
                yield Sellable(sku, sellable(levels_of(raw), self._settings))
            except RemoteError as error:
                if error.reason is not Reason.NOT_FOUND:
                    raise
                # Deleted, and perhaps made anew under another id.
                self._products.forget([sku])
            except (ValueError, TypeError, AttributeError, KeyError):
                raise RemoteError(Reason.BROKEN_ANSWER, "read-stock: the answer has an unexpected form") from None

    def ping(self) -> None:
        """Raise RemoteError unless Xentral answers and accepts the token for products."""
        self._call("ping", "GET", PATH, params=[("page[number]", "1"), ("page[size]", "10")])

    def _shown(self, hits: Sequence[Raw], wanted: ArticleFilter) -> Iterator[Article]:
        """Articles of a page, with the SKUs of their parents, which the list names by id only."""
        parents = self._numbers(hits)
        for raw in hits:
            if not raw.get("id") or not raw.get("number"):
                continue
            parent = _parent_id(raw)
            article = Article(
                id=str(raw["id"]),
                sku=str(raw["number"]),
                name=str(raw.get("name") or ""),
                kind=_kind(raw),
                parent_sku=parents.get(parent) if parent else None,
            )
            if not wanted.foreign_skus:
                yield article
                continue
            for foreign in self._foreign_skus(article.id, wanted.foreign_skus):
                yield Article(article.id, article.sku, article.name, article.kind, article.parent_sku, foreign)

    def _numbers(self, hits: Sequence[Raw]) -> dict[str, str]:
        here = {str(raw.get("id")): str(raw.get("number")) for raw in hits}
        wanted = {parent for raw in hits if (parent := _parent_id(raw))}
        for batch in batches(sorted(wanted - here.keys())):
            found = self._list("list-articles", PATH, "id", batch)
            here.update({str(raw.get("id")): str(raw.get("number")) for raw in found})
        return here

    def _foreign_skus(self, product_id: str, wanted: Iterable[str]) -> list[str]:
        """Which of the foreign numbers are this article's. The list of articles can be searched by them, but does not
        show them."""
        numbers = set()
        for page in self._pages("read-references", f"{PATH}/{quote(product_id, safe='')}/externalReferences", []):
            for raw in page:
                target = raw.get("target") or {}
                if self._settings.foreign_target in ("", str(target.get("id"))):
                    numbers.add(raw.get("number"))
        return [number for number in dict.fromkeys(wanted) if number in numbers]


def _parent_id(raw: Raw) -> str | None:
    parent = raw.get("variantOf")
    return str(parent["id"]) if isinstance(parent, dict) and parent.get("id") else None


def _kind(raw: Raw) -> ArticleKind:
    if raw.get("isVariant") or _parent_id(raw):
        return "variant"
    return "parent" if raw.get("isMatrixProduct") or raw.get("variants") or raw.get("options") else "simple"


def _fits(article: Article, wanted: ArticleFilter) -> bool:
    """Letter by letter, because the database behind Xentral compares without regard to case and accents."""
    if wanted.skus and article.sku not in wanted.skus:
        return False
    return wanted.kind is None or article.kind == wanted.kind
