import { Option } from 'commander';
import { connect, type NatsConnection } from 'nats';
import { ConfigError } from '../config/config-error.js';
import { type NatsConfig, readConfig } from '../config/environment.js';
import { withFiles } from '../config/settings-files.js';
import { SETTINGS } from '../config/settings-table.js';
import { withoutSecrets } from '../config/url-text.js';
import { natsConnectionOptions, rightOf, watchConnection } from '../feed/nats-connection.js';
import { CommandFailure, reasonOf } from './failure.js';
import { note } from './output.js';

const DEFAULT_NATS_URL = 'nats://127.0.0.1:4222';

/** `--nats <url>`, else NATS_URL, else a server on this machine. */
export function natsOption(): Option {
  return new Option('--nats <url>', 'NATS server').env('NATS_URL').default(DEFAULT_NATS_URL);
}

/** `--bucket <name>`, else REVOCATIONS_BUCKET, else the gateways' default. */
export function bucketOption(): Option {
  const { bucket } = readConfig({}).revocations;
  return new Option('--bucket <name>', 'key-value bucket of the gateways; off: they have none')
    .env('REVOCATIONS_BUCKET')
    .default(bucket);
}

/** Settings of a gateway that say nothing about its connection; they may be incomplete here. */
const OTHERS: readonly string[] = ['NATS_URL', 'NATS_BACKUP_URL', 'NATS_START_TIMEOUT', 'NATS_STREAM'];

/**
 * How to reach the server at `url`, with the gateway's own settings of credentials, TLS, JetStream's API and prefixes.
 * @throws {ConfigError} naming an invalid variable.
 */
export function natsConfig(url: string, env: NodeJS.ProcessEnv): NatsConfig {
  const settings = withFiles(env);
  const names = [...SETTINGS.keys()].filter(name => name.startsWith('NATS_') && !OTHERS.includes(name));
  const given = Object.fromEntries(['SECRET_FILE_READERS', ...names].map(name => [name, settings[name]]));
  return readConfig({ ...given, NATS_URL: url || DEFAULT_NATS_URL }).nats;
}

/**
 * Connects without a second attempt.
 * @throws {CommandFailure} if the server refuses or cannot be reached.
 */
export async function connectOnce(config: NatsConfig): Promise<NatsConnection> {
  const options = await natsConnectionOptions(config, 'millrace-cli').catch((cause: unknown) => {
    throw cause instanceof ConfigError ? cause : new CommandFailure(reasonOf(cause), { cause });
  });
  try {
    return await connect({ ...options, reconnect: false });
  } catch (cause) {
    throw new CommandFailure(`cannot connect to NATS at ${withoutSecrets(config.url)}: ${reasonOf(cause)}`, { cause });
  }
}

/** Says what the server does not let this user do; nats.js alone would wait in vain. */
export function noteRefusals(connection: NatsConnection): void {
  watchConnection(connection, {
    disconnected() {},
    reconnected() {},
    closed() {},
    refused: error =>
      note(`warning: ${error.kind === 'permissions' ? `this user may not ${rightOf(error)}` : error.detail}`),
  });
}
