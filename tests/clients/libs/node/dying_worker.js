'use strict';

// Takes one job of Bull and never ends it: the parent kills this process in the middle.

const Bull = require('bull');
const { settings } = require('./node_checks.js');

const queue = new Bull('sums', {
  redis: { host: settings.host, port: settings.port },
  settings: { stalledInterval: 200, lockDuration: 400, lockRenewTime: 100 },
});
queue.process(() => {
  process.send('took a job');
  return new Promise(() => {});
});
