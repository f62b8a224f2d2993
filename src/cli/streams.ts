import { Command, InvalidArgumentError, Option } from 'commander';
import type { JetStreamManager, StreamInfo } from 'nats';
import { readConfig } from '../config/environment.js';
import { parseSize, sizeText } from '../config/size.js';
import { withoutSecrets } from '../config/url-text.js';
import {
  findStream,
  jetStreamTextOf,
  STREAM_BYTES_MAX,
  type StreamSize,
  streamCreator,
} from '../feed/jetstream-stream.js';
import { NatsNames } from '../feed/nats-names.js';
import { bucketStream, createBucket } from '../revocation/bucket-entries.js';
import { createOrderStream, orderStream } from '../revocation/order-inbox.js';
import { CommandFailure } from './failure.js';
import { bucketOption, connectOnce, natsConfig, natsOption, noteRefusals } from './nats-connection.js';
import { say } from './output.js';

/** What JetStream allows. */
const REPLICAS_MAX = 5;
/** A cluster that has just started answers once it has a leader. */
const REQUEST_TIMEOUT_MS = 10_000;

const EXAMPLES = `
Run it once before the first gateway starts, as a user that may publish on $JS.API.>. Prints each stream with its replicas. A
stream that exists is kept as it is, but for its replicas where --replicas is given.

Examples:
  $ millrace streams
  $ millrace streams --replicas 3 --max-bytes 20GiB
  $ NATS_USER=administrator NATS_PASSWORD_FILE=secrets/administrator.password millrace streams --nats tls://nats-1:4222`;

interface StreamsOptions {
  readonly nats: string;
  readonly stream: string;
  readonly bucket: string;
  readonly replicas?: number;
  readonly maxBytes: number;
}

/** One of the streams that gateways read. */
interface Wanted {
  readonly name: string;
  create(manager: JetStreamManager): Promise<StreamInfo>;
}

/** `millrace streams`: creates what gateways read from JetStream, for sites where they may not. */
export function streamsCommand(): Command {
  const { stream } = readConfig({}).nats;
  return new Command('streams')
    .description('create the JetStream streams of the gateways, or change their replicas')
    .addOption(new Option('--stream <name>', 'stream of market data').env('NATS_STREAM').default(stream))
    .option('--replicas <n>', 'servers of a cluster that hold each stream (default: 1 for new ones)', replicas)
    .addOption(maxBytesOption())
    .addOption(bucketOption())
    .addOption(natsOption())
    .addHelpText('after', EXAMPLES)
    .action(createStreams);
}

function maxBytesOption(): Option {
  return new Option('--max-bytes <size>', 'of market data that a new stream keeps; the oldest leaves first')
    .argParser(bytes)
    .default(STREAM_BYTES_MAX, sizeText(STREAM_BYTES_MAX));
}

async function createStreams(options: StreamsOptions): Promise<void> {
  const config = natsConfig(options.nats, process.env);
  const connection = await connectOnce(config);
  noteRefusals(connection);
  try {
    const names = new NatsNames(config);
    const manager = await names.manager(connection, REQUEST_TIMEOUT_MS);
    for (const wanted of wantedStreams(options, names)) {
      const refused = (cause: unknown): never => {
        const where = `${wanted.name} at ${withoutSecrets(config.url)}`;
        throw new CommandFailure(`${where}: ${jetStreamTextOf(cause)}`, { cause });
      };
      say(await provide(manager, wanted, options.replicas).catch(refused));
    }
  } finally {
    await connection.close();
  }
}

function wantedStreams({ stream, bucket, replicas = 1, maxBytes }: StreamsOptions, names: NatsNames): Wanted[] {
  const kept: StreamSize = { replicas, maxBytes };
  const market: Wanted = { name: stream, create: manager => streamCreator(names, kept)(manager, stream) };
  if (bucket === 'off') return [market];
  return [
    market,
    { name: bucketStream(bucket), create: manager => createBucket(manager, bucketStream(bucket), replicas) },
    {
      name: orderStream(bucket),
      create: manager => createOrderStream(manager, bucket, names.subjects, replicas),
    },
  ];
}

/** @returns what is there now, in a line */
async function provide(manager: JetStreamManager, wanted: Wanted, replicas: number | undefined): Promise<string> {
  const found = await findStream(manager, wanted.name);
  if (found === undefined) return lineOf(await wanted.create(manager), 'created, ');
  if (replicas === undefined || found.config.num_replicas === replicas) return lineOf(found, 'exists, ');
  const before = found.config.num_replicas;
  const changed = await manager.streams.update(wanted.name, { ...found.config, num_replicas: replicas });
  return lineOf(changed, `had ${before}, now `);
}

function lineOf({ config, cluster }: StreamInfo, what: string): string {
  const { name, subjects, num_replicas: count } = config;
  const where = cluster?.name === undefined ? '' : ` in ${cluster.name}`;
  return `${name}: ${what}${count} ${count === 1 ? 'replica' : 'replicas'}${where} (${subjects.join(' ')})`;
}

function replicas(text: string): number {
  if (/^\d$/.test(text) && Number(text) >= 1 && Number(text) <= REPLICAS_MAX) return Number(text);
  throw new InvalidArgumentError(`It must be a whole number from 1 to ${REPLICAS_MAX}.`);
}

function bytes(text: string): number {
  const parsed = parseSize(text);
  if (parsed !== undefined && parsed > 0) return parsed;
  throw new InvalidArgumentError('It must be a size such as 512MiB or 20GiB.');
}
