/** Clients that were not written here, each at work in its own home. */
import { type ChildProcess, spawn } from 'node:child_process';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { pack, Unpackr } from 'msgpackr';
import { type Browser, chromium, type Page } from 'playwright-core';
import WebSocket from 'ws';
import { chromiumBinary } from '../chromium.js';
import { foreignPython } from './python.js';
import { follow } from './standard-client.mjs';

/** Whole numbers beyond 32 bits as numbers: the default is bigint. */
const unpackr = new Unpackr({ useRecords: false, mapsAsObjects: true, int64AsType: 'number' });
const CODEC = { pack, unpack: (bytes: Uint8Array): unknown => unpackr.unpack(bytes) };

export interface ForeignRequest {
  readonly url: string;
  readonly protocols: readonly string[];
  readonly format: string;
  /** Sent once the connection is open. */
  readonly commands: readonly object[];
}

/** What a client holds; `broken` says where a frame did not follow the one before. */
export interface Held {
  readonly quotes: Readonly<Record<string, unknown>>;
  readonly books: Readonly<Record<string, unknown>>;
  readonly trades: readonly unknown[];
  readonly answers: readonly string[];
  readonly deltas: number;
  readonly broken: readonly string[];
}

export type Report =
  | { readonly event: 'open'; readonly protocol: string; readonly extensions: string }
  | { readonly event: 'held'; readonly held: Held }
  | { readonly event: 'closed'; readonly code: number; readonly reason: string };

/** What became of one client. */
export class ForeignClient {
  opened: Extract<Report, { event: 'open' }> | undefined;
  held: Held = { quotes: {}, books: {}, trades: [], answers: [], deltas: 0, broken: [] };
  closed: { readonly code: number; readonly reason: string } | undefined;
  /** What its process wrote to standard error. */
  complaint = '';
  /** Ends it. */
  end: () => Promise<unknown> = () => Promise.resolve();

  readonly report = (report: Report): void => {
    if (report.event === 'open') this.opened = report;
    // As text it is a copy of its own.
    else if (report.event === 'held') this.held = JSON.parse(JSON.stringify(report.held)) as Held;
    else this.closed = { code: report.code, reason: report.reason };
  };
}

export interface ForeignRuntime {
  readonly name: string;
  connect(request: ForeignRequest): Promise<ForeignClient>;
}

/** The package ws. */
export class WsRuntime implements ForeignRuntime {
  readonly name = 'ws';

  async connect({ format, ...request }: ForeignRequest): Promise<ForeignClient> {
    const client = new ForeignClient();
    const codec = format === 'msgpack' ? CODEC : undefined;
    const socket = follow({ WebSocket, ...request, codec, report: client.report });
    client.end = async () => socket.close();
    return client;
  }
}

/** A program that is told what to do by its last argument, and reports on standard output. */
class ProcessRuntime implements ForeignRuntime {
  readonly name: string;
  readonly #command: () => readonly [program: string, ...args: string[]];

  constructor(name: string, command: () => readonly [program: string, ...args: string[]]) {
    this.name = name;
    this.#command = command;
  }

  async connect(request: ForeignRequest): Promise<ForeignClient> {
    const client = new ForeignClient();
    const [program, ...args] = this.#command();
    const child = spawn(program, [...args, JSON.stringify(request)], { stdio: ['ignore', 'pipe', 'pipe'] });
    createInterface(child.stdout).on('line', line => client.report(JSON.parse(line) as Report));
    child.stderr.on('data', text => {
      client.complaint += text;
    });
    client.end = () => ended(child);
    return client;
  }
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = new Promise(resolve => child.once('exit', resolve));
  child.kill();
  await exited;
}

const here = (file: string) => fileURLToPath(new URL(file, import.meta.url));

/** Node 20 has its own WebSocket behind a flag, later ones without. */
export const nodeRuntime = (): ForeignRuntime =>
  new ProcessRuntime('Node’s own', () => {
    const flags = globalThis.WebSocket === undefined ? ['--experimental-websocket', '--no-warnings'] : [];
    return [process.execPath, ...flags, here('node-client.mjs')];
  });

export const pythonRuntime = (): ForeignRuntime =>
  new ProcessRuntime('Python’s websockets', () => [foreignPython(), here('client.py')]);

/** A page of a browser, from an origin of its own. */
export class ChromiumRuntime implements ForeignRuntime {
  readonly name = 'Chromium’s';
  #server: Server | undefined;
  #browser: Browser | undefined;

  /** Where its pages come from. */
  get origin(): string {
    return `http://127.0.0.1:${(this.#server?.address() as AddressInfo).port}`;
  }

  async open(): Promise<void> {
    const { outputFiles } = await build({
      entryPoints: [here('page-client.mjs')],
      bundle: true,
      format: 'esm',
      platform: 'browser',
      write: false,
    });
    const script = `<script type="module">${outputFiles[0]?.text.replaceAll('</script', '<\\/script')}</script>`;
    const server = createServer((_request, response) => {
      response.writeHead(200, { 'content-type': 'text/html; charset=utf-8' }).end(`<!doctype html>${script}`);
    });
    this.#server = server;
    await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
    this.#browser = await chromium.launch({
      executablePath: chromiumBinary(),
      headless: true,
      // Tests run as root in containers, where Chromium's sandbox does not.
      args: ['--no-sandbox'],
    });
  }

  async connect(request: ForeignRequest): Promise<ForeignClient> {
    const client = new ForeignClient();
    const page = (await this.#browser?.newPage()) as Page;
    client.end = () => page.close();
    page.on('pageerror', error => {
      client.complaint += String(error);
    });
    await page.exposeFunction('report', client.report);
    await page.goto(this.origin);
    await page.waitForFunction('window.start !== undefined');
    await page.evaluate(`window.start(${JSON.stringify(request)})`);
    return client;
  }

  async close(): Promise<void> {
    await this.#browser?.close();
    this.#server?.closeAllConnections();
    this.#server?.close();
  }
}
