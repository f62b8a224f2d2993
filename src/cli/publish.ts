import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { Command, Option } from 'commander';
import { Events, headers, type MsgHdrs, type NatsConnection } from 'nats';
import type { NatsConfig } from '../config/environment.js';
import { withoutSecrets } from '../config/url-text.js';
import { CONTROL_SUBJECTS } from '../feed/nats-subjects.js';
import { parseTraceParent } from '../observe/tracing/traceparent.js';
import { MsgpackReader } from '../protocol/msgpack-reader.js';
import { SubjectPrefix } from '../protocol/subject-prefix.js';
import { parseSubject } from '../protocol/topics.js';
import { CommandFailure, reasonOf } from './failure.js';
import { connectOnce, natsConfig, natsOption } from './nats-connection.js';
import { note, say } from './output.js';

const EXAMPLES = `
The payload is JSON text, or the name of a file (with or without @) that contains JSON or one MessagePack map. The subject has no
prefix: NATS_SUBJECT_PREFIX is added.

Examples:
  $ millrace publish md.quotes.AAPL '{"symbol":"AAPL","current_price":150.25,"bid":150.24,"ask":150.26}'
  $ millrace publish md.quotes.AAPL '{"symbol":"AAPL","current_price":150.5,"partial":true}'
  $ millrace publish md.books.BTC/USDT @book.json --nats nats://127.0.0.1:4222
  $ millrace publish md.quotes.AAPL '{"symbol":"AAPL","current_price":150.75}' --traceparent`;

const READ_SUBJECTS =
  'md.quotes.<symbol>, md.trades.<symbol>, md.books.<symbol>, orders.<user>, analytics.<channel>, rooms.<room>, ' +
  CONTROL_SUBJECTS.join(' and ');

/** `millrace publish`: one message to NATS, as a publisher would send it. */
export function publishCommand(): Command {
  return new Command('publish')
    .description('publish one message to NATS')
    .argument('<subject>', 'NATS subject, e.g. md.quotes.AAPL')
    .argument('<payload>', 'JSON text, or @file, or file')
    .addOption(natsOption())
    .addOption(
      new Option('--traceparent [header]', 'W3C trace context of the message; without a value, a new trace, sampled'),
    )
    .addHelpText('after', EXAMPLES)
    .action(async (subject: string, payload: string, options: { nats: string; traceparent?: string | true }) => {
      checkSubject(subject);
      const bytes = await payloadOf(payload);
      const config = natsConfig(options.nats, process.env);
      const target = new SubjectPrefix(config.subjectPrefix).add(subject);
      const traceparent = traceParentOf(options.traceparent);
      await publish(target, bytes, config, traceparent);
      say(`published ${bytes.length} bytes to ${target}${traceparent === '' ? '' : `, traceparent ${traceparent}`}`);
    });
}

/** @param given true: make one */
function traceParentOf(given: string | true | undefined): string {
  if (given === undefined) return '';
  if (given === true) return `00-${randomBytes(16).toString('hex')}-${randomBytes(8).toString('hex')}-01`;
  if (parseTraceParent(given) !== undefined) return given;
  throw new CommandFailure(`--traceparent ${given}: must be 00-<32 hex digits>-<16 hex digits>-<2 hex digits>`);
}

function headersOf(traceparent: string): MsgHdrs | undefined {
  if (traceparent === '') return undefined;
  const given = headers();
  given.set('traceparent', traceparent);
  return given;
}

function checkSubject(subject: string): void {
  if (/[\s*>]/.test(subject) || subject.split('.').includes('')) {
    throw new CommandFailure(`${subject}: not a subject you can publish to (no spaces, wildcards or empty tokens)`);
  }
  if (parseSubject(subject) === undefined && !CONTROL_SUBJECTS.includes(subject)) {
    note(`warning: Millrace does not read ${subject}; it reads ${READ_SUBJECTS}`);
  }
}

/** The bytes to send, unchanged so that all digits survive, after checking that they are JSON or MessagePack. */
async function payloadOf(argument: string): Promise<Uint8Array> {
  if (argument.startsWith('@')) return fileBytes(argument.slice(1));
  const isJson = jsonError(argument) === undefined;
  if (isJson || /^\s*[{[]/.test(argument)) return checkedJson(argument, 'the payload');
  return fileBytes(argument);
}

async function fileBytes(path: string): Promise<Uint8Array> {
  let bytes: Buffer;
  try {
    bytes = await readFile(path);
  } catch (cause) {
    throw new CommandFailure(`${path}: neither JSON nor a readable file (${reasonOf(cause)})`, { cause });
  }
  const isMap = ((bytes[0] ?? 0) & 0xf0) === 0x80 || bytes[0] === 0xde || bytes[0] === 0xdf;
  if (!isMap) return checkedJson(textOf(bytes, path), path);
  try {
    new MsgpackReader().read(bytes, 0, bytes.length);
  } catch (cause) {
    throw new CommandFailure(`${path}: is not exactly one MessagePack map (${reasonOf(cause)})`, { cause });
  }
  return bytes;
}

/** Without a byte order mark. Fails on invalid UTF-8, which would otherwise be replaced silently. */
function textOf(bytes: Uint8Array, path: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (cause) {
    throw new CommandFailure(`${path}: is not UTF-8`, { cause });
  }
}

function checkedJson(text: string, name: string): Uint8Array {
  const error = jsonError(text);
  if (error !== undefined) throw new CommandFailure(`${name}: is not JSON: ${error}`);
  return new TextEncoder().encode(text.trim());
}

function jsonError(text: string): string | undefined {
  try {
    JSON.parse(text);
    return undefined;
  } catch (error) {
    return reasonOf(error);
  }
}

async function publish(subject: string, bytes: Uint8Array, config: NatsConfig, traceparent: string): Promise<void> {
  const connection = await connectOnce(config);
  const where = withoutSecrets(config.url);
  const refusals: string[] = [];
  void collectErrors(connection, refusals);
  try {
    const given = headersOf(traceparent);
    connection.publish(subject, bytes, given === undefined ? {} : { headers: given });
    // The server answers a refused publish before it answers the flush.
    await connection.flush();
    // nats.js passes an error through several promises.
    await new Promise(resolve => setImmediate(resolve));
  } catch (cause) {
    throw new CommandFailure(`cannot publish to ${subject} at ${where}: ${reasonOf(cause)}`, { cause });
  } finally {
    await connection.close();
  }
  if (refusals.length > 0) throw new CommandFailure(`${where} refused it: ${refusals.join('; ')}`);
}

/** Never ends by itself: this iterator of nats.js keeps waiting after the connection closes. */
async function collectErrors(connection: NatsConnection, into: string[]): Promise<void> {
  for await (const { type, data, permissionContext } of connection.status()) {
    if (type !== Events.Error) continue;
    into.push(
      permissionContext === undefined ? String(data) : `no permission to publish to ${permissionContext.subject}`,
    );
  }
}
