"""Fills a fresh Tryton database with what a shop needs. Runs on Tryton's own Python, not on Connect's:

    python tryton_seed.py DATABASE CONFIGURATION      prints the ids that settings and mappings need, as JSON

A company in euro with a chart of accounts and two years to book in, 19 % and 7 % tax, a warehouse, a carrier, a web
shop, the party that stands for all buyers, the two service articles of the connector, and the user Connect logs in as.
"""

import datetime as dt
import json
import os
import sys
from decimal import Decimal

PASSWORD = "a-password-of-the-tests"
GROUPS = ("Sales", "Stock", "Accounting", "Product Administration", "Party Administration", "Stock Force Assignment")


def main(database: str, configuration: str) -> dict[str, int]:
    os.environ["TRYTOND_CONFIG"] = configuration
    from proteus import Model, config

    config.set_trytond(database, user="admin", config_file=configuration)
    from trytond.modules.account.tests.tools import create_chart, create_fiscalyear, create_tax, get_accounts
    from trytond.modules.account_invoice.tests.tools import set_fiscalyear_invoice_sequences
    from trytond.modules.company.tests.tools import create_company, get_company
    from trytond.modules.currency.tests.tools import get_currency

    euro = get_currency("EUR")
    create_company(currency=euro)
    company = get_company()
    create_chart(company)
    today = dt.datetime.now(dt.UTC).date()
    for year in (today.year - 1, today.year, today.year + 1):
        span = (dt.date(year, 1, 1), dt.date(year, 12, 31))
        set_fiscalyear_invoice_sequences(create_fiscalyear(company, span)).click("create_period")
    accounts = get_accounts(company)

    def made(model: str, **values: object) -> Model:
        record = Model.get(model)(**values)
        record.save()
        return record

    taxes = {rate: create_tax(Decimal(rate)) for rate in ("0.19", "0.07")}
    for tax in taxes.values():
        tax.save()
    made("country.country", name="Germany", code="DE")
    made("country.country", name="Austria", code="AT")
    category = made(
        "product.category",
        name="Goods",
        accounting=True,
        account_expense=accounts["expense"],
        account_revenue=accounts["revenue"],
    )
    (unit,) = Model.get("product.uom").find([("name", "=", "Unit")])
    services = {}
    for code in ("VERSAND", "RABATT"):
        template = Model.get("product.template")(
            name=code, default_uom=unit, type="service", salable=True, list_price=Decimal(0), account_category=category
        )
        template.products[0].suffix_code = code
        template.save()
        services[code] = template.products[0]
    carrier = made("carrier", party=made("party.party", name="DHL"), carrier_product=services["VERSAND"])
    term = Model.get("account.invoice.payment_term")(name="At once")
    term.lines.new(type="remainder")
    term.save()
    shop = made("web.shop", name="Connect", company=company, currency=euro)
    (warehouse,) = Model.get("stock.location").find([("type", "=", "warehouse")])
    user = Model.get("res.user")(name="Connect", login="connect", password=PASSWORD)
    user.companies.append(Model.get("company.company")(company.id))
    user.company = Model.get("company.company")(company.id)
    for group in Model.get("res.group").find([("name", "in", list(GROUPS))]):
        user.groups.append(group)
    user.save()
    return {
        "company": company.id,
        "web_shop": shop.id,
        "warehouse": warehouse.id,
        "storage": warehouse.storage_location.id,
        "carrier": carrier.id,
        "payment_term": term.id,
        "customer": made("party.party", name="Buyers of the shop").id,
        "tax_19": taxes["0.19"].id,
        "tax_7": taxes["0.07"].id,
        "category": category.id,
        "unit": unit.id,
        "package_type": made("stock.package.type", name="Box").id,
    }


if __name__ == "__main__":
    sys.stdout.write(json.dumps(main(*sys.argv[1:])))
