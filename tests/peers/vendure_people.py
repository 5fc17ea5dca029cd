"""What people do in the real Vendure: buyers in its Shop API, staff in its Admin API."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

import httpx2

PERMISSIONS = ("ReadOrder", "UpdateOrder", "ReadCatalog", "UpdateCatalog", "ReadStockLocation")
"""All that Connect needs, as its README says."""

_BOUGHT = """
mutation Buy($customer: CreateCustomerInput!, $address: CreateAddressInput!, $shipping: [ID!]!, $method: String!) {
  setCustomerForOrder(input: $customer) { __typename ... on ErrorResult { message } }
  setOrderShippingAddress(input: $address) { __typename ... on ErrorResult { message } }
  setOrderShippingMethod(shippingMethodId: $shipping) { __typename ... on ErrorResult { message } }
  transitionOrderToState(state: "ArrangingPayment") { __typename ... on OrderStateTransitionError { transitionError } }
  addPaymentToOrder(input: { method: $method, metadata: {} }) {
    __typename
    ... on Order { code totalWithTax state }
    ... on ErrorResult { message }
  }
}
"""
_ADD = """
mutation Add($id: ID!, $quantity: Int!) {
  addItemToOrder(productVariantId: $id, quantity: $quantity) { __typename ... on ErrorResult { errorCode message } }
}
"""
_ORDER = """
query Order($code: String!) {
  orders(options: { filter: { code: { eq: $code } } }) {
    items {
      id
      state
      updatedAt
      totalWithTax
      payments { id state }
      fulfillments { id state method trackingCode lines { quantity } }
      lines { id quantity }
    }
  }
}
"""
_VARIANTS = """
query { productVariants { items { id sku stockLevels { stockOnHand stockAllocated } } } }
"""
_PROMOTION = """
mutation Promotion($input: CreatePromotionInput!) {
  createPromotion(input: $input) { __typename ... on ErrorResult { message } }
}
"""


class SoldOut(Exception):
    """The shop lets nobody put that much into a cart."""


class Api:
    """One session of one of the shop's two APIs."""

    def __init__(self, client: httpx2.Client, path: str) -> None:
        self._client = client
        self._path = path
        self._headers: dict[str, str] = {}

    def __call__(self, query: str, /, **variables: Any) -> Any:
        """The data; AssertionError for an error."""
        body = {"query": query, "variables": variables}
        answer = self._client.post(self._path, json=body, headers=self._headers)
        if token := answer.headers.get("vendure-auth-token"):
            self._headers["authorization"] = f"Bearer {token}"
        told = answer.json()
        assert not told.get("errors"), told["errors"]
        return told["data"]


class People:
    """Buyers and staff of one shop. `variants` are the ids by SKU, after `open`."""

    def __init__(self, address: str) -> None:
        self._client = httpx2.Client(base_url=address, timeout=300, trust_env=False)
        self.staff = Api(self._client, "/admin-api")
        self.variants: dict[str, str] = {}
        self._shipping: list[str] = []
        self._count = itertools.count()

    def close(self) -> None:
        """Hang up."""
        self._client.close()

    def open(self, password: str) -> str:
        """Staff come to work: a promotion, a role and an API key are made, which is returned."""
        login = 'mutation($p: String!) { login(username: "superadmin", password: $p) { __typename } }'
        assert self.staff(login, p=password)["login"]["__typename"] == "CurrentUser"
        self.variants = {each["sku"]: each["id"] for each in self._variants()}
        shipping = self.staff("{ shippingMethods { items { id } } }")["shippingMethods"]["items"]
        self._shipping = [each["id"] for each in shipping]
        arguments = [{"name": "amount", "value": "10000"}, {"name": "taxInclusive", "value": "true"}]
        tenth = {
            "enabled": True,
            "translations": [{"languageCode": "en", "name": "A tenth from 100 euros"}],
            "conditions": [{"code": "minimum_order_amount", "arguments": arguments}],
            "actions": [{"code": "order_percentage_discount", "arguments": [{"name": "discount", "value": "10"}]}],
        }
        assert self.staff(_PROMOTION, input=tenth)["createPromotion"]["__typename"] == "Promotion"
        make_role = "mutation($i: CreateRoleInput!) { createRole(input: $i) { id } }"
        role = self.staff(make_role, i={"code": "connect", "description": "Connect", "permissions": list(PERMISSIONS)})[
            "createRole"
        ]["id"]
        return self.key([role])

    def key(self, roles: Sequence[str]) -> str:
        """A new API key with these roles."""
        make = "mutation($i: CreateApiKeyInput!) { createApiKey(input: $i) { apiKey } }"
        names = [{"languageCode": "en", "name": "Connect"}]
        return str(self.staff(make, i={"roleIds": list(roles), "translations": names})["createApiKey"]["apiKey"])

    # -- buyers ------------------------------------------------------------------------------------------------------

    def buy(self, goods: Mapping[str, int], method: str = "invoice", shipping: int = 0) -> tuple[str, Decimal]:
        """One order: its number and what the shop says it costs. SoldOut where there is not enough."""
        number = next(self._count)
        buyer = Api(self._client, "/shop-api")
        for sku, quantity in goods.items():
            added = buyer(_ADD, id=self.variants[sku], quantity=quantity)["addItemToOrder"]
            if added.get("errorCode") == "INSUFFICIENT_STOCK_ERROR":
                raise SoldOut(added["message"])
            assert added["__typename"] == "Order", added
        bought = buyer(
            _BOUGHT,
            customer={"firstName": "Jürgen", "lastName": f"Groß-{number}", "emailAddress": f"k{number}@example.org"},
            address={
                "fullName": f"Jürgen Groß-{number}", "streetLine1": f"Straße {number + 1}", "city": "Köln",
                "postalCode": "50667", "countryCode": "DE", "phoneNumber": "+49 221 0000000",
            },
            shipping=[self._shipping[shipping % len(self._shipping)]],
            method=method,
        )["addPaymentToOrder"]  # fmt: skip
        assert bought["__typename"] == "Order", bought
        return bought["code"], Decimal(bought["totalWithTax"]) / 100

    def place(self, count: int, method: str = "invoice") -> list[tuple[str, Decimal]]:
        """So many orders of one to three articles, one to four pieces each, by turns with either delivery."""
        skus = sorted(self.variants)
        placed = []
        for place in range(count):
            goods = {skus[(place + step * 5) % len(skus)]: 1 + (place + step) % 4 for step in range(1 + place % 3)}
            placed.append(self.buy(goods, method, place))
        return placed

    # -- staff -------------------------------------------------------------------------------------------------------

    def order(self, number: str) -> dict[str, Any]:
        """An order as its staff see it."""
        (found,) = self.staff(_ORDER, code=number)["orders"]["items"]
        return dict(found)

    def settle(self, number: str) -> None:
        """The money has come."""
        (payment,) = self.order(number)["payments"]
        settled = self.staff("mutation($i: ID!) { settlePayment(id: $i) { __typename } }", i=payment["id"])
        assert settled["settlePayment"]["__typename"] == "Payment", settled

    def cancel(self, number: str) -> None:
        """Somebody cancels the order in the shop."""
        wish = {"orderId": self.order(number)["id"], "reason": "test", "cancelShipping": True}
        done = self.staff("mutation($i: CancelOrderInput!) { cancelOrder(input: $i) { __typename } }", i=wish)
        assert done["cancelOrder"]["__typename"] == "Order", done

    def keep_prices_with_tax(self, with_tax: bool) -> None:
        """The shop's prices are meant with tax, or without it."""
        (channel,) = self.staff("{ channels { items { id } } }")["channels"]["items"]
        change = "mutation($i: UpdateChannelInput!) { updateChannel(input: $i) { __typename } }"
        done = self.staff(change, i={"id": channel["id"], "pricesIncludeTax": with_tax})["updateChannel"]
        assert done["__typename"] == "Channel", done

    def move(self, fulfilment_id: str, state: str) -> None:
        """Somebody moves a fulfilment on, e.g. to Delivered or Cancelled."""
        change = "mutation($i: ID!, $s: String!) { transitionFulfillmentToState(id: $i, state: $s) { __typename } }"
        done = self.staff(change, i=fulfilment_id, s=state)["transitionFulfillmentToState"]
        assert done["__typename"] == "Fulfillment", done

    def stock(self, sku: str) -> int:
        """What the shop would still sell: on hand, less what is allocated to orders that have not left."""
        (found,) = [each for each in self._variants() if each["sku"] == sku]
        return sum(level["stockOnHand"] - level["stockAllocated"] for level in found["stockLevels"])

    def set_stock(self, sku: str, on_hand: int) -> None:
        """Somebody counts what is on hand."""
        change = "mutation($i: [UpdateProductVariantInput!]!) { updateProductVariants(input: $i) { id } }"
        self.staff(change, i=[{"id": self.variants[sku], "stockOnHand": on_hand}])

    def _variants(self) -> list[dict[str, Any]]:
        return list(self.staff(_VARIANTS)["productVariants"]["items"])
