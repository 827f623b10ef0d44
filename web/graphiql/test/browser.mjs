// Drives the console in a real browser as a user would: opens it with a token, looks into the schema, types a query
// and a subscription, runs them and reads the result pane. Fails too where the page asks anything of another origin,
// breaks its Content-Security-Policy, leaves the token in the address or in localStorage, or does not send it.
//
// usage: node browser.mjs URL TOKEN QUERY SUBSCRIPTION EXPECT_QUERY_TEXT EXPECT_SUB_TEXT
//   CHROMIUM     the browser, by default /usr/bin/chromium
//   SCREENSHOT   a PNG to write at the end
// Prints `ok` and exits 0, or says what failed and exits 1, within a minute.

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { stripVTControlCharacters } from 'node:util';
import { chromium } from 'playwright-core';

const ARGUMENTS = ['URL', 'TOKEN', 'QUERY', 'SUBSCRIPTION', 'EXPECT_QUERY_TEXT', 'EXPECT_SUB_TEXT'];
const DEADLINE_MS = 60_000;
const STEP_MS = 20_000;
const EDITOR = '.graphiql-query-editor .CodeMirror';
const RESULT = '.graphiql-response .CodeMirror';

if (process.argv.length !== 2 + ARGUMENTS.length) {
  console.error(`usage: node browser.mjs ${ARGUMENTS.join(' ')}`);
  process.exit(1);
}
const [address, token, query, subscription, expectedOfQuery, expectedOfSubscription] = process.argv.slice(2);
const url = new URL(address);

// All that Node and the browser write goes here, and goes away with it.
const home = await mkdtemp(path.join(tmpdir(), 'colloquy-browser-'));
process.env.TMPDIR = home;
let browser;
let step = 'starting the browser';
let exitCode = 0;
try {
  let timer;
  const deadline = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`not done after ${DEADLINE_MS / 1000} s`)), DEADLINE_MS - 5_000);
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
      process.once(signal, () => reject(new Error(`ended by ${signal}`)));
    }
  });
  await Promise.race([drive(), deadline]);
  clearTimeout(timer);
  console.log('ok');
} catch (error) {
  console.error(`failed while ${step}: ${stripVTControlCharacters(error.message).replaceAll(token, 'TOKEN')}`);
  exitCode = 1;
} finally {
  // A browser that does not close must not hold the test up.
  const stuck = setTimeout(() => process.exit(1), 5_000);
  await browser?.close().catch(() => {});
  await rm(home, { recursive: true, force: true, maxRetries: 5 }).catch(() => {});
  clearTimeout(stuck);
}
process.exit(exitCode);

async function drive() {
  browser = await chromium.launchPersistentContext(path.join(home, 'profile'), {
    executablePath: process.env.CHROMIUM || '/usr/bin/chromium',
    env: { ...process.env, HOME: home, XDG_CONFIG_HOME: home, XDG_CACHE_HOME: home },
    headless: true,
    timeout: STEP_MS,
    handleSIGINT: false,
    handleSIGTERM: false,
    handleSIGHUP: false,
    viewport: { width: 1280, height: 800 },
    args: [
      '--no-sandbox',
      '--disable-gpu',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
    ],
  });
  const page = browser.pages()[0] ?? (await browser.newPage());
  page.setDefaultTimeout(STEP_MS);
  const seen = watch(page);

  step = 'opening the page';
  await page.goto(`${url.href.split('#')[0]}#token=${encodeURIComponent(token)}`);
  assert((await page.title()) === 'Colloquy', `the title is ${await page.title()}`);
  await page.locator(EDITOR).waitFor();
  await page.locator(RESULT).waitFor();
  assert(!page.url().includes('token'), 'the token stayed in the address');
  assert((await page.getByTestId('token').inputValue()) === token, 'the token is not in its field');
  const status = await page.getByTestId('status').filter({ hasText: /./ }).textContent();
  assert(status.startsWith('Signed in'), `the status line says ${status}`);
  await recordResults(page);

  step = 'looking into the schema';
  await page.getByRole('button', { name: 'Show Documentation Explorer' }).click();
  const explorer = page.locator('.graphiql-doc-explorer');
  for (const root of ['Query', 'Mutation', 'Subscription']) {
    await explorer.getByRole('link', { name: root, exact: true }).waitFor();
  }
  await page.getByRole('button', { name: 'Hide Documentation Explorer' }).click();

  step = 'running the query';
  await run(page, query);
  await result(page, expectedOfQuery);

  step = 'running the subscription';
  await run(page, subscription);
  await result(page, expectedOfSubscription);

  step = 'checking what the page did';
  const bearer = `Bearer ${token}`;
  assert(seen.posts.length > 0, 'no POST to /graphql was seen');
  for (const authorization of seen.posts) assert(authorization === bearer, 'a POST went without the token');
  assert(seen.inits.length > 0, 'no connection_init was seen on /graphql/ws');
  for (const authorization of seen.inits) assert(authorization === bearer, 'connection_init went without the token');
  const kept = await page.evaluate(() => JSON.stringify({ ...localStorage }));
  assert(!kept.includes(token), 'the token is in localStorage');
  assert(seen.faults.length === 0, seen.faults.join('; '));
  if (process.env.SCREENSHOT) await page.screenshot({ path: process.env.SCREENSHOT });
}

/** What the page sends and what goes wrong in it, from now on. */
function watch(page) {
  const seen = { posts: [], inits: [], faults: [] };
  page.on('request', (request) => {
    const target = new URL(request.url());
    if (['data:', 'blob:'].includes(target.protocol)) return;
    if (target.origin !== url.origin) seen.faults.push(`a request to ${target.href}`);
    if (target.pathname === '/graphql' && request.method() === 'POST') seen.posts.push(request.headers().authorization);
  });
  page.on('websocket', (socket) => {
    const target = new URL(socket.url());
    if (target.host !== url.host || target.pathname !== '/graphql/ws') seen.faults.push(`a WebSocket to ${target.href}`);
    socket.on('framesent', ({ payload }) => {
      const message = JSON.parse(String(payload));
      if (message.type === 'connection_init') seen.inits.push(message.payload?.authorization);
    });
  });
  page.on('pageerror', (error) => seen.faults.push(`an uncaught error: ${error.message}`));
  page.on('console', (message) => {
    if (message.type() === 'error') seen.faults.push(`an error on the console: ${message.text()}`);
  });
  return seen;
}

// The pane shows only the last event of a stream, and a quick one is gone before anybody looks: keep them all.
async function recordResults(page) {
  await page.locator(RESULT).evaluate((pane) => {
    window.results = [];
    pane.CodeMirror.on('change', (editor) => window.results.push(editor.getValue()));
  });
}

async function run(page, operation) {
  await page.evaluate(() => {
    window.results = [];
  });
  await page.locator(EDITOR).click({ position: { x: 200, y: 10 } });
  await page.keyboard.press('ControlOrMeta+A');
  await page.keyboard.insertText(operation);
  // GraphiQL parses what was typed after a pause.
  await page.waitForFunction(
    ([selector, text]) => document.querySelector(selector).CodeMirror.documentAST?.loc.source.body === text,
    [EDITOR, operation],
  );
  await page.keyboard.press('ControlOrMeta+Enter');
}

async function result(page, text) {
  try {
    await page.waitForFunction((expected) => window.results.some((value) => value.includes(expected)), text);
  } catch {
    const shown = await page.evaluate(() => window.results.at(-1) ?? 'nothing');
    throw new Error(`expected ${JSON.stringify(text)} in the result, which shows ${shown.slice(0, 2_000)}`);
  }
}

function assert(condition, message) {
  if (!condition) throw new Error(message);
}
