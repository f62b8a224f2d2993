/**
 * What applications can rely on when they compile, in a page without Node's types and in Node.
 *
 * @module-tag slow
 * @module-tag bulk
 */
import { fileURLToPath } from 'node:url';
import ts from 'typescript';
import { expect, it } from 'vitest';

const HERE = fileURLToPath(new URL('./', import.meta.url));

/** The compiler's complaints about a module next to this one, and about all that it imports. */
function complaints(text: string, settings: ts.CompilerOptions): string[] {
  const name = `${HERE}application.ts`;
  const options: ts.CompilerOptions = {
    strict: true,
    noEmit: true,
    skipLibCheck: true,
    target: ts.ScriptTarget.ES2022,
    module: ts.ModuleKind.NodeNext,
    moduleResolution: ts.ModuleResolutionKind.NodeNext,
    ...settings,
  };
  const host = ts.createCompilerHost(options);
  const { getSourceFile, fileExists, readFile } = host;
  host.fileExists = path => path === name || fileExists(path);
  host.readFile = path => (path === name ? text : readFile(path));
  host.getSourceFile = (path, ...rest) =>
    path === name ? ts.createSourceFile(path, text, ts.ScriptTarget.ES2022) : getSourceFile(path, ...rest);
  const program = ts.createProgram([name], options, host);
  return ts.getPreEmitDiagnostics(program).map(({ file, start, messageText }) => {
    const line = file === undefined || start === undefined ? 0 : file.getLineAndCharacterOfPosition(start).line + 1;
    return `${file?.fileName}:${line}: ${ts.flattenDiagnosticMessageText(messageText, ' ')}`;
  });
}

const PAGE = `
import { MillraceClient, type StateChange } from '../../../src/client/index.js';
const client = new MillraceClient({ url: 'wss://feed.example.com', WebSocket, token: async () => 'token' });
client.quotes(['AAPL']).on('change', (change: StateChange<{ readonly symbol: string }>) => change.document.symbol);
for await (const { document, skipped } of client.quotes(['AAPL'])) console.log(document.current_price, skipped);
for await (const { message } of client.trades()) console.log(message.trade_id);
for await (const { message } of client.orders()) if (message.action === 'filled') console.log(message.order_id);
const [level] = client.depth(['X'], { levels: 25 }).best('X', 'bids', 3);
const price: string | undefined = level?.[0];
const { seq }: { seq: number } = await client.rooms('desk-7').publish({ text: 'hi', price });
client.on('status', ({ state, feed }) => console.log(state === 'waiting', feed === 'stale', seq));
client.quotes(['AAPL']).on('stale', ({ symbol, since, reason }) => console.log(symbol, since, reason === 'refused'));
const isOld: boolean = client.depth(['X']).on('whole', ({ topic }) => console.log(topic)).isStale('X');
client.orderbook(['X']).on('change', ({ isStale }) => console.log(isStale && isOld));
client.trades().on('gap', ({ reason }) => console.log(reason === 'refused'));
for await (const { message } of client.trades()) {
  const id: string | number | bigint = message.trade_id;
  await client.rooms('desk-7').publish({ id });
}
new MillraceClient({ url: 'wss://feed.example.com', WebSocket, integers: 'bigint' });
// @ts-expect-error whole numbers are none of these
new MillraceClient({ url: 'wss://feed.example.com', WebSocket, integers: 'float' });
// @ts-expect-error events are never stale
client.trades().on('stale', () => {});
// @ts-expect-error symbols are a list
client.quotes('AAPL');
// @ts-expect-error no such event
client.on('change', () => {});
// @ts-expect-error no such channel
client.analytics(['x']);
// @ts-expect-error no such depth
client.depth(['X'], { levels: 11 });
// @ts-expect-error documents are the client's to change
for await (const { document } of client.quotes(['AAPL'])) document.current_price = 1;
`;

const NODE = `
import * as messagePack from 'msgpackr';
import { WebSocket } from 'ws';
import { MillraceClient } from '../../../src/client/index.js';
new MillraceClient({ url: 'wss://feed.example.com', WebSocket, format: 'msgpack', messagePack });
`;

it('R34 the client compiles in a page that knows nothing of Node, and its types say what is wrong', () => {
  expect(complaints(PAGE, { lib: ['lib.es2022.d.ts', 'lib.dom.d.ts'], types: [] })).toEqual([]);
});

it('R34 the client compiles in Node with the packages ws and msgpackr', () => {
  expect(complaints(NODE, { lib: ['lib.es2022.d.ts'], types: ['node'] })).toEqual([]);
});

it('R34 a mistake in an application shows', () => {
  const wrong = NODE.replace("'msgpack'", "'xml'");
  expect(complaints(wrong, { lib: ['lib.es2022.d.ts'], types: ['node'] })).toEqual([expect.stringContaining(':5: ')]);
});
