// Fills an empty database: a German shop with prices that include tax, two tax rates, two ways to pay and to deliver.
const { bootstrap, ChannelService, RequestContextService } = require('@vendure/core');
const { importProductsFromCsv, populateInitialData } = require('@vendure/core/cli');
const path = require('path');
const { config } = require('./config.js');

const settle = value => ({ code: 'dummy-payment-handler', arguments: [{ name: 'automaticSettle', value }] });

const initialData = {
  defaultLanguage: 'en',
  defaultZone: 'Europe',
  countries: [
    { name: 'Germany', code: 'DE', zone: 'Europe' },
    { name: 'Austria', code: 'AT', zone: 'Europe' },
  ],
  taxRates: [
    { name: 'Standard Tax', percentage: 19 },
    { name: 'Reduced Tax', percentage: 7 },
  ],
  shippingMethods: [
    { name: 'Standard Shipping', price: 490, taxRate: 19 },
    { name: 'Express Shipping', price: 1290, taxRate: 19 },
  ],
  paymentMethods: [
    { name: 'Invoice', handler: settle('true') },
    { name: 'Bank Transfer', handler: settle('false') },
  ],
  collections: [],
};

(async () => {
  const app = await bootstrap(config);
  await populateInitialData(app, initialData);
  const ctx = await app.get(RequestContextService).create({ apiType: 'admin' });
  await app.get(ChannelService).update(ctx, {
    id: ctx.channelId,
    pricesIncludeTax: true,
    defaultCurrencyCode: 'EUR',
    availableCurrencyCodes: ['EUR'],
  });
  const imported = await importProductsFromCsv(app, path.join(__dirname, 'products.csv'), 'en');
  if (imported.errors && imported.errors.length) throw new Error(imported.errors.join('; '));
  await app.close();
  process.exit(0);
})().catch(error => {
  console.error(error);
  process.exit(1);
});
