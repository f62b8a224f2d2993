import { readFile } from 'node:fs/promises';
import { Command } from 'commander';
import { Events, type NatsConnection } from 'nats';
import type { NatsConfig } from '../config/environment.js';
import { withoutSecrets } from '../config/url-text.js';
import { CONTROL_SUBJECTS } from '../feed/nats-subjects.js';
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
  $ millrace publish md.books.BTC/USDT @book.json --nats nats://127.0.0.1:4222`;

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
    .addHelpText('after', EXAMPLES)
    .action(async (subject: string, payload: string, options: { nats: string }) => {
      checkSubject(subject);
      const bytes = await payloadOf(payload);
      const config = natsConfig(options.nats, process.env);
      const target = new SubjectPrefix(config.subjectPrefix).add(subject);
      await publish(target, bytes, config);
      say(`published ${bytes.length} bytes to ${target}`);
    });
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

async function publish(subject: string, bytes: Uint8Array, config: NatsConfig): Promise<void> {
  const connection = await connectOnce(config);
  const where = withoutSecrets(config.url);
  const refusals: string[] = [];
  void collectErrors(connection, refusals);
  try {
    connection.publish(subject, bytes);
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
