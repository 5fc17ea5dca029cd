// The shop's configuration. Everything that differs between runs comes from the environment.
const { DefaultLogger, dummyPaymentHandler, LogLevel } = require('@vendure/core');

const database = new URL(process.env.VENDURE_DATABASE_URL);

exports.config = {
  apiOptions: { hostname: '127.0.0.1', port: Number(process.env.VENDURE_PORT), adminApiPath: 'admin-api', shopApiPath: 'shop-api' },
  authOptions: {
    // Without 'api-key' every key is refused without a word.
    tokenMethod: ['bearer', 'api-key'],
    superadminCredentials: { identifier: 'superadmin', password: process.env.VENDURE_PASSWORD },
    requireVerification: false,
  },
  dbConnectionOptions: {
    type: 'postgres',
    host: database.hostname,
    port: Number(database.port),
    username: decodeURIComponent(database.username),
    password: decodeURIComponent(database.password),
    database: database.pathname.slice(1),
    synchronize: process.env.VENDURE_SYNCHRONIZE === 'yes',
    logging: false,
  },
  logger: new DefaultLogger({ level: LogLevel.Warn, timestamp: false }),
  paymentOptions: { paymentMethodHandlers: [dummyPaymentHandler] },
  plugins: [],
};
