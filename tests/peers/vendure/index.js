// Serves the shop. No worker: nothing that Connect uses runs in the background.
const { bootstrap } = require('@vendure/core');
const { config } = require('./config.js');

bootstrap(config).catch(error => {
  console.error(error);
  process.exit(1);
});
