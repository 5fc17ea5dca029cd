"""The GraphQL that Connect sends to Vendure's Admin API. Each document holds one operation.

`CHANGED` is part of every order that is read: what it asks for is all that tells when an order changed last.
"""

from __future__ import annotations

CHANGED = """
fragment Changed on Order {
  id
  state
  orderPlacedAt
  updatedAt
  history(
    options: {
      take: 1
      sort: { createdAt: DESC }
      filter: {
        type: { in: ["ORDER_STATE_TRANSITION", "ORDER_MODIFIED", "ORDER_CANCELLATION", "ORDER_CUSTOMER_UPDATED"] }
      }
    }
  ) {
    items { createdAt }
  }
}
"""

FULFILMENTS = """
fragment Fulfilled on Order {
  id
  code
  state
  payments { method state }
  lines { id quantity orderPlacedQuantity productVariant { sku } }
  fulfillments { id createdAt updatedAt state method trackingCode lines { orderLineId quantity } }
}
"""

PING = "query Ping { activeChannel { id code } }"

PING_ORDERS = "query PingOrders { orders(options: { take: 1 }) { totalItems } }"

PING_STOCK = "query PingStock { productVariants(options: { take: 1 }) { totalItems } }"

SWEEP_ORDERS = (
    "query SweepOrders($options: OrderListOptions) { orders(options: $options) { items { ...Changed } } }" + CHANGED
)

READ_ORDERS = (
    """
query ReadOrders($options: OrderListOptions) {
  orders(options: $options) {
    items {
      ...Changed
      code
      currencyCode
      totalWithTax
      customer { title firstName lastName emailAddress phoneNumber }
      billingAddress { ...Address }
      shippingAddress { ...Address }
      lines {
        id
        quantity
        orderPlacedQuantity
        unitPriceWithTax
        linePriceWithTax
        proratedLinePriceWithTax
        taxRate
        discounts { description amountWithTax }
        productVariant { sku name }
      }
      surcharges { id description sku priceWithTax taxRate }
      shippingLines {
        priceWithTax
        price
        discountedPriceWithTax
        discounts { description amountWithTax }
        shippingMethod { code }
      }
      payments { method state amount transactionId }
      taxSummary { taxRate }
    }
  }
}
fragment Address on OrderAddress {
  fullName
  company
  streetLine1
  streetLine2
  city
  postalCode
  countryCode
  phoneNumber
}
"""
    + CHANGED
)

READ_UNITS = (
    "query ReadUnits($options: OrderListOptions) { orders(options: $options) { items { ...Fulfilled } } }" + FULFILMENTS
)

PREPARE_SHIPMENT = """
mutation PrepareShipment($input: FulfillOrderInput!) {
  addFulfillmentToOrder(input: $input) {
    __typename
    ... on Fulfillment { id state }
    ... on ErrorResult { errorCode message }
  }
}
"""

SEND_SHIPMENT = """
mutation SendShipment($id: ID!) {
  transitionFulfillmentToState(id: $id, state: "Shipped") {
    __typename
    ... on Fulfillment { id state }
    ... on ErrorResult { errorCode message }
  }
}
"""

CANCEL_ORDER = """
mutation CancelOrder($input: CancelOrderInput!) {
  cancelOrder(input: $input) {
    __typename
    ... on Order { id state }
    ... on ErrorResult { errorCode message }
  }
}
"""

STOCK_LOCATIONS = "query StockLocations { stockLocations(options: { sort: { createdAt: ASC } }) { items { id name } } }"

LIST_STOCK = """
query ListStock($options: ProductVariantListOptions) {
  productVariants(options: $options) {
    items {
      id
      sku
      trackInventory
      stockLevels { stockLocationId stockOnHand stockAllocated updatedAt }
    }
  }
}
"""

SEND_QUANTITIES = """
mutation SendQuantities($input: [UpdateProductVariantInput!]!) {
  updateProductVariants(input: $input) { id }
}
"""
