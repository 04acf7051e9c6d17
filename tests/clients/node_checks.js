'use strict';

// What the two Node clients share: running named checks and reading replies of
// CLIENT INFO. A check prints one line, "ok NAME" or "fail NAME: why", which is
// what the runner counts.

const assert = require('assert');

let failed = 0;

async function check(name, body) {
  try {
    await body();
    console.log(`ok ${name}`);
  } catch (error) {
    failed += 1;
    const why = String((error && error.stack) || error).replace(/\s+/g, ' ');
    console.log(`fail ${name}: ${why.slice(0, 400)}`);
  }
}

function sleep(ms) {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

// CLIENT INFO is one line of name=value fields, separated by spaces.
function infoFields(line) {
  const fields = {};
  for (const word of String(line).trim().split(' ')) {
    const at = word.indexOf('=');
    if (at > 0) fields[word.slice(0, at)] = word.slice(at + 1);
  }
  return fields;
}

// Every byte value, including NUL, CR LF and bytes that are no UTF-8.
function everyByte() {
  return Buffer.from(Array.from({ length: 1024 }, (_, i) => (i * 7) % 256));
}

// Calls `attempt` until it succeeds; an application that reconnects may see the
// first request on a killed connection fail.
async function retry(attempt, tries = 20) {
  for (let i = 1; ; i += 1) {
    try {
      return await attempt();
    } catch (error) {
      if (i === tries) throw error;
      await sleep(50);
    }
  }
}

const kStepMs = 10_000;

// The promise, or an error that says what did not come in time.
function within(promise, what) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no ${what} within ${kStepMs} ms`)), kStepMs);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

function finish() {
  console.log('end');
  process.exit(failed === 0 ? 0 : 1);
}

// Runs the parts of a flow one after the other. Of one that throws, the checks are
// missing in the report.
async function runParts(parts) {
  for (const part of parts) {
    try {
      await part();
    } catch (error) {
      console.error(part.name, error);
    }
  }
  finish();
}

module.exports = {
  assert,
  check,
  everyByte,
  finish,
  infoFields,
  retry,
  runParts,
  sleep,
  settings: {
    host: process.env.LARDER_HOST,
    port: Number(process.env.LARDER_PORT),
    resp: process.env.LARDER_EXPECT_RESP,
    expectLibraryName: process.env.LARDER_EXPECT_LIBRARY_NAME === '1',
  },
  within,
};
