"""Every GraphQL document that is sent, by the name of its operation. None may cost more than 1000 points."""

from __future__ import annotations

from collections.abc import Mapping

_PAGE = "pageInfo { hasNextPage endCursor }"

_MONEY = """
fragment Money on MoneyBag {
  presentmentMoney @include(if: $presentment) { amount currencyCode }
  shopMoney @skip(if: $presentment) { amount currencyCode }
}
"""

_LINE = (
    """
fragment Line on LineItem {
  id sku name quantity currentQuantity taxable
  originalUnitPriceSet { ...Money }
  taxLines { ratePercentage priceSet { ...Money } }
  discountAllocations {
    allocatedAmountSet { ...Money }
    discountApplication {
      ... on DiscountCodeApplication { code }
      ... on AutomaticDiscountApplication { title }
      ... on ManualDiscountApplication { title }
      ... on ScriptDiscountApplication { title }
    }
  }
}
"""
    + _MONEY
)

_ORDER = (
    f"""
fragment Whole on Order {{
  id name createdAt processedAt updatedAt cancelledAt
  displayFinancialStatus displayFulfillmentStatus returnStatus
  taxesIncluded taxExempt paymentGatewayNames email phone
  customer {{ firstName lastName }}
  billingAddress {{ ...Place }}
  shippingAddress {{ ...Place }}
  totalPriceSet {{ ...Money }}
  currentTotalPriceSet {{ ...Money }}
  shippingLines(first: 3) {{
    nodes {{ title discountedPriceSet {{ ...Money }} taxLines {{ ratePercentage priceSet {{ ...Money }} }} }}
  }}
  lineItems(first: 8) {{ nodes {{ ...Line }} {_PAGE} }}
}}
fragment Place on MailingAddress {{ name company address1 address2 zip city countryCodeV2 phone }}
"""
    + _LINE
)

_PARCELS = f"""
fragment Parcels on Order {{
  id name cancelledAt displayFinancialStatus paymentGatewayNames
  lineItems(first: 50) {{ nodes {{ id sku name quantity }} {_PAGE} }}
  fulfillmentOrders(first: 8) {{ nodes {{ ...Work }} {_PAGE} }}
  fulfillments(first: 50) {{ id status createdAt trackingInfo(first: 1) {{ company number }} }}
}}
fragment Work on FulfillmentOrder {{
  id status assignedLocation {{ location {{ id }} }}
  lineItems(first: 40) {{ nodes {{ id remainingQuantity lineItem {{ id }} }} {_PAGE} }}
}}
"""

DOCUMENTS: Mapping[str, str] = {
    "list-orders": f"""
query ListOrders($first: Int!, $after: String, $query: String!, $presentment: Boolean!) {{
  orders(first: $first, after: $after, query: $query, sortKey: UPDATED_AT) {{ nodes {{ ...Whole }} {_PAGE} }}
}}
{_ORDER}""",
    "find-orders": f"""
query FindOrders($first: Int!, $after: String, $query: String!, $presentment: Boolean!) {{
  orders(first: $first, after: $after, query: $query) {{ nodes {{ ...Whole }} {_PAGE} }}
}}
{_ORDER}""",
    "read-orders": f"""
query ReadOrders($ids: [ID!]!, $presentment: Boolean!) {{
  nodes(ids: $ids) {{ ...Whole }}
}}
{_ORDER}""",
    "more-lines": f"""
query MoreLines($id: ID!, $after: String!, $presentment: Boolean!) {{
  order(id: $id) {{ lineItems(first: 50, after: $after) {{ nodes {{ ...Line }} {_PAGE} }} }}
}}
{_LINE}""",
    "find-ids": f"""
query FindIds($query: String!, $after: String) {{
  orders(first: 50, after: $after, query: $query) {{ nodes {{ id name }} {_PAGE} }}
}}
""",
    "read-parcels": f"""
query ReadParcels($id: ID!) {{
  order(id: $id) {{ ...Parcels }}
}}
{_PARCELS}""",
    "read-parcel-lines": f"""
query ReadParcelLines($ids: [ID!]!) {{
  nodes(ids: $ids) {{
    ... on Fulfillment {{ id fulfillmentLineItems(first: 50) {{ nodes {{ quantity lineItem {{ id }} }} {_PAGE} }} }}
  }}
}}
""",
    "more-parcel-lines": f"""
query MoreParcelLines($id: ID!, $after: String!) {{
  fulfillment(id: $id) {{
    fulfillmentLineItems(first: 100, after: $after) {{ nodes {{ quantity lineItem {{ id }} }} {_PAGE} }}
  }}
}}
""",
    "more-order-lines": f"""
query MoreOrderLines($id: ID!, $after: String!) {{
  order(id: $id) {{ lineItems(first: 100, after: $after) {{ nodes {{ id sku name quantity }} {_PAGE} }} }}
}}
""",
    "more-work": f"""
query MoreWork($id: ID!, $after: String!) {{
  order(id: $id) {{
    fulfillmentOrders(first: 8, after: $after) {{
      nodes {{
        id status assignedLocation {{ location {{ id }} }}
        lineItems(first: 40) {{ nodes {{ id remainingQuantity lineItem {{ id }} }} {_PAGE} }}
      }}
      {_PAGE}
    }}
  }}
}}
""",
    "more-work-lines": f"""
query MoreWorkLines($id: ID!, $after: String!) {{
  fulfillmentOrder(id: $id) {{
    lineItems(first: 100, after: $after) {{ nodes {{ id remainingQuantity lineItem {{ id }} }} {_PAGE} }}
  }}
}}
""",
    "send-shipment": """
mutation SendShipment($fulfillment: FulfillmentInput!) {
  fulfillmentCreate(fulfillment: $fulfillment) {
    fulfillment { id status }
    userErrors { field message }
  }
}
""",
    "cancel-order": """
mutation CancelOrder($orderId: ID!, $reason: OrderCancelReason!, $refundMethod: OrderCancelRefundMethodInput!,
                     $restock: Boolean!, $notifyCustomer: Boolean!, $staffNote: String) {
  orderCancel(orderId: $orderId, reason: $reason, refundMethod: $refundMethod, restock: $restock,
              notifyCustomer: $notifyCustomer, staffNote: $staffNote) {
    job { id }
    orderCancelUserErrors { code field message }
  }
}
""",
    "cancel-items": """
mutation CancelItems($input: RefundInput!, $key: String!) {
  refundCreate(input: $input) @idempotent(key: $key) {
    refund { id }
    userErrors { field message }
  }
}
""",
    "find-items": f"""
query FindItems($query: String!, $after: String) {{
  inventoryItems(first: 100, after: $after, query: $query) {{ nodes {{ id sku }} {_PAGE} }}
}}
""",
    "send-quantities": """
mutation SendQuantities($input: InventorySetQuantitiesInput!, $key: String!) {
  inventorySetQuantities(input: $input) @idempotent(key: $key) {
    inventoryAdjustmentGroup { id }
    userErrors { code field message }
  }
}
""",
    "read-quantities": f"""
query ReadQuantities($query: String!, $location: ID!, $after: String) {{
  inventoryItems(first: 100, after: $after, query: $query) {{
    nodes {{
      id sku inventoryLevel(locationId: $location) {{ quantities(names: ["available"]) {{ quantity updatedAt }} }}
    }}
    {_PAGE}
  }}
}}
""",
    "list-quantities": f"""
query ListQuantities($location: ID!, $first: Int!, $after: String) {{
  location(id: $location) {{
    inventoryLevels(first: $first, after: $after) {{
      nodes {{ item {{ sku }} quantities(names: ["available"]) {{ quantity updatedAt }} }}
      {_PAGE}
    }}
  }}
}}
""",
    "find-location": """
query FindLocation($location: ID) {
  location(id: $location) { id }
}
""",
    "ping": """
query Ping {
  currentAppInstallation { accessScopes { handle } }
}
""",
}
