"""Articles and their stock out of Tryton, many at a call.

Tryton calls a template with its variants what others call a parent: it has a code of its own and cannot be sold.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import ROUND_FLOOR, Decimal
from typing import Any

from shared.connectors.contract import Article, ArticleFilter, ArticleKind, Hint, Reason, RemoteError, Sellable
from shared.connectors.tryton.calls import PAGE, Domain, Raw, TrytonCalls, batches, related
from shared.connectors.tryton.wire import day, read_decimal

PRODUCT, TEMPLATE = "product.product", "product.template"
GOODS: Domain = [["salable", "=", True], ["type", "!=", "service"]]
PRODUCT_FIELDS = ("code", "name", "template.code", "template.products")
TEMPLATE_FIELDS = ("code", "name", "products")
PARENT = "template-"
"""Before the id of a template, so that it is no product's."""

MOST = Decimal(10**9)


class TrytonStock(TrytonCalls):
    """Articles of one Tryton. Safe for many threads."""

    def articles(self, wanted: ArticleFilter) -> Iterator[list[Article]]:
        """Pages of articles that fit: products, then templates with variants."""
        common = [["name", "ilike", f"%{_literal(wanted.name)}%"]] if wanted.name else []
        if wanted.parent_sku:
            common.append(["template.code", "=", wanted.parent_sku])
        if wanted.kind != "parent":
            yield from self._products_fitting(wanted, common)
        if wanted.kind in (None, "parent") and not wanted.parent_sku and not wanted.foreign_skus:
            yield from self._parents_fitting(wanted)

    def articles_hinted(self, hints: Sequence[Hint]) -> list[Article]:
        """The articles behind hints; those that are gone are left out."""
        ids = list(dict.fromkeys(hint.id for hint in hints if hint.kind == "article"))
        products = [int(each) for each in ids if each.isdecimal()]
        parents = [int(number) for each in ids if (number := each.removeprefix(PARENT)) != each and number.isdecimal()]
        found: list[Article] = []
        for batch in batches(products):
            raws = self._all("list-articles", PRODUCT, [*GOODS, ["id", "in", batch]], PRODUCT_FIELDS)
            found += [article for raw in raws if (article := _product(raw))]
        for batch in batches(parents):
            raws = self._all("list-parents", TEMPLATE, [*GOODS, ["id", "in", batch]], TEMPLATE_FIELDS)
            found += [article for raw in raws if (article := _parent(raw))]
        return found

    def sellable(self, skus: Sequence[str]) -> Iterator[Sellable]:
        """What is forecast in the locations that are sold from: today, or at the horizon where that is less."""
        today = datetime.now(UTC).date()
        days = dict.fromkeys((today, today + timedelta(days=self._settings.horizon)))
        for batch in batches(list(dict.fromkeys(skus))):
            least: dict[str, Decimal] = {}
            for each in days:
                for code, quantity in self._forecast(batch, each).items():
                    least[code] = min(quantity, least.get(code, quantity))
            for sku in batch:
                if sku in least:
                    quantity = min(max(least[sku], Decimal(0)), MOST)
                    yield Sellable(sku, int(quantity.to_integral_value(ROUND_FLOOR)))

    def ping(self) -> None:
        """Raise RemoteError unless Tryton answers, accepts the user, and shows products."""
        self._call("ping", f"model.{PRODUCT}.search_read", [], 0, 1, None, ["code"])

    def _forecast(self, skus: Sequence[str], until: date) -> dict[str, Decimal]:
        locations = list(self._settings.locations) or [self._settings.warehouse]
        context: dict[str, Any] = {"locations": locations, "stock_date_end": day(until)}
        domain = [["code", "in", list(skus)], ["salable", "=", True]]
        raws = self._all("read-stock", PRODUCT, domain, ["code", "forecast_quantity"], **context)
        try:
            return {str(raw["code"]): read_decimal(raw["forecast_quantity"]) for raw in raws if raw.get("code") in skus}
        except (KeyError, ValueError):
            raise RemoteError(Reason.BROKEN_ANSWER, "read-stock: a quantity is missing or no number") from None

    def _products_fitting(self, wanted: ArticleFilter, common: Domain) -> Iterator[list[Article]]:
        key, values = ("code", wanted.skus) if wanted.skus else ("identifiers.code", wanted.foreign_skus)
        for batch in batches(values) if values else [[]]:
            domain = [*GOODS, *common, *([[key, "in", batch]] if batch else [])]
            for raws in self._pages("list-articles", PRODUCT, domain, PRODUCT_FIELDS, size=PAGE):
                found = [article for raw in raws if (article := _product(raw))]
                if wanted.kind is not None:
                    found = [article for article in found if article.kind == wanted.kind]
                if page := list(self._with_foreign(found, wanted.foreign_skus)):
                    yield page

    def _parents_fitting(self, wanted: ArticleFilter) -> Iterator[list[Article]]:
        name = [["name", "ilike", f"%{_literal(wanted.name)}%"]] if wanted.name else []
        for batch in batches(wanted.skus) if wanted.skus else [[]]:
            domain = [*GOODS, *name, ["code", "in", batch] if batch else ["code", "!=", None]]
            for raws in self._pages("list-parents", TEMPLATE, domain, TEMPLATE_FIELDS, size=PAGE):
                if page := [article for raw in raws if (article := _parent(raw))]:
                    yield page

    def _with_foreign(self, articles: Sequence[Article], wanted: Sequence[str]) -> Iterator[Article]:
        """Each with the foreign numbers asked for, which are identifiers of the product in Tryton."""
        if not wanted or not articles:
            yield from articles
            return
        domain = [["product", "in", [int(each.id) for each in articles]], ["code", "in", list(wanted)]]
        numbers: dict[str, list[str]] = {}
        for raw in self._all("read-identifiers", "product.identifier", domain, ["product", "code"]):
            numbers.setdefault(str(raw.get("product")), []).append(str(raw.get("code")))
        for each in articles:
            for foreign in dict.fromkeys(numbers.get(each.id, ())):
                yield Article(each.id, each.sku, each.name, each.kind, each.parent_sku, foreign)


def _product(raw: Raw) -> Article | None:
    """A product with a code; a variant is one whose template has a code of its own, or several products."""
    template = related(raw, "template")
    if not raw.get("code"):
        return None
    parent = template.get("code") or None
    variant = len(template.get("products") or ()) > 1 or parent not in (None, raw["code"])
    kind: ArticleKind = "variant" if variant else "simple"
    name = str(raw.get("name") or "")
    return Article(str(raw["id"]), str(raw["code"]), name, kind, parent if variant else None)


def _parent(raw: Raw) -> Article | None:
    """A template that is a parent: its code is not that of its only product."""
    if not raw.get("code") or len(raw.get("products") or ()) < 2:
        return None
    return Article(f"{PARENT}{raw['id']}", str(raw["code"]), str(raw.get("name") or ""), "parent")


def _literal(text: str) -> str:
    """For `ilike`: what a person typed means itself."""
    return text.replace("\\", "\\\\").replace("%", r"\%").replace("_", r"\_")
