import { Command } from 'commander';
import { createInbox, type NatsConnection } from 'nats';
import { type Revocation, revocationOf } from '../auth/revocation-text.js';
import type { NatsConfig } from '../config/environment.js';
import { withoutSecrets } from '../config/url-text.js';
import { NatsNames } from '../feed/nats-names.js';
import { openBucket, REQUEST_TIMEOUT_MS, writeEntry } from '../revocation/bucket-entries.js';
import { CommandFailure, reasonOf } from './failure.js';
import { bucketOption, connectOnce, natsConfig, natsOption, noteRefusals } from './nats-connection.js';
import { note, say } from './output.js';
import { userName } from './user-name.js';

/** Reachable gateways answer within two seconds, stored or not. */
const ANSWERS_MS = 3_000;
/** How long to wait for further answers after the first. */
const FURTHER_ANSWERS_MS = 500;

const EXAMPLES = `
Ends the credentials at every gateway, and has the NATS server keep the revocation for gateways that are not connected. Prints
a line for each gateway that answers: its name, and where it keeps the revocation (kv, file, or memory: until it exits).

Examples:
  $ millrace revoke --sub alice --reason 'left the firm'
  $ millrace revoke --jti 3f1c… --nats nats://127.0.0.1:4222
  $ millrace revoke --api-key k_0123456789abcdef`;

interface RevokeOptions {
  readonly sub?: string;
  readonly jti?: string;
  readonly apiKey?: string;
  readonly author: string;
  readonly reason?: string;
  readonly nats: string;
}

interface Answer {
  readonly ok?: boolean;
  readonly gateway?: string;
  readonly stored?: string;
  readonly error?: string;
}

/** `millrace revoke`: ends credentials before they expire. */
export function revokeCommand(): Command {
  return new Command('revoke')
    .description('revoke a user, a token or an API key at every gateway')
    .option('--sub <user>', 'every credential of the user issued until now')
    .option('--jti <id>', 'one token')
    .option('--api-key <id>', 'one API key: its id, or the key')
    .option('--author <name>', 'who revokes', userName())
    .option('--reason <text>', 'why')
    .addOption(natsOption())
    .addOption(bucketOption())
    .addHelpText('after', EXAMPLES)
    .action(async (options: RevokeOptions & { readonly bucket: string }) => {
      const revocation = asked(options);
      const config = natsConfig(options.nats, process.env);
      await revoke(revocation, config, options.bucket);
    });
}

function asked({ sub, jti, apiKey, author, reason }: RevokeOptions): Revocation {
  const order = {
    ...(sub === undefined ? {} : { sub }),
    ...(jti === undefined ? {} : { jti }),
    ...(apiKey === undefined ? {} : { api_key: apiKey }),
    author,
    reason,
  };
  const revocation = revocationOf(order, Date.now());
  if (revocation !== undefined) return revocation;
  throw new CommandFailure('give exactly one of --sub, --jti and --api-key, with a valid value');
}

async function revoke(revocation: Revocation, config: NatsConfig, bucket: string): Promise<void> {
  const connection = await connectOnce(config);
  noteRefusals(connection);
  try {
    const answers = await ask(connection, revocation, config);
    for (const answer of answers) say(lineOf(answer));
    const revoked = answers.filter(({ ok }) => ok === true);
    if (revoked.some(({ stored }) => stored === 'kv')) return;
    if (bucket !== 'off') await store(connection, revocation, bucket, revoked.length, config);
    else if (revoked.length === 0) throw new CommandFailure('no gateway answered: the credential is not revoked');
  } finally {
    await connection.close();
  }
}

/** Every gateway answers for itself; the number of gateways is unknown. */
async function ask(
  connection: NatsConnection,
  { by, value, author, reason }: Revocation,
  config: NatsConfig,
): Promise<Answer[]> {
  const answers: Answer[] = [];
  const inbox = createInbox(config.inboxPrefix);
  let finish = () => {};
  const finished = new Promise<void>(resolve => {
    finish = resolve;
  });
  let timer = setTimeout(finish, ANSWERS_MS);
  connection.subscribe(inbox, {
    callback: (error, message) => {
      // Empty: the server reports that there are no responders.
      if (error !== null || message.data.length === 0) return finish();
      const answer = answerOf(message.data);
      // Also ignores answers of someone else's stream.
      if (answer === undefined) return;
      answers.push(answer);
      clearTimeout(timer);
      timer = setTimeout(finish, FURTHER_ANSWERS_MS);
    },
  });
  const subject = new NatsNames(config).subjects.add('control.revoke');
  connection.publish(subject, JSON.stringify({ [by]: value, author, reason }), { reply: inbox });
  await finished;
  clearTimeout(timer);
  return answers;
}

function answerOf(data: Uint8Array): Answer | undefined {
  try {
    const answer = JSON.parse(new TextDecoder().decode(data)) as Answer;
    return typeof answer.ok === 'boolean' ? answer : undefined;
  } catch {
    // It is not from a gateway.
    return undefined;
  }
}

/** No gateway has it in the bucket: stores it there for gateways that start later. */
async function store(
  connection: NatsConnection,
  revocation: Revocation,
  bucket: string,
  gateways: number,
  config: NatsConfig,
): Promise<void> {
  try {
    const names = new NatsNames(config);
    const manager = await names.manager(connection, REQUEST_TIMEOUT_MS);
    await openBucket(manager, bucket, config.streamReplicas);
    await writeEntry(manager, { bucket, names }, revocation, undefined);
    say(`stored in bucket ${bucket}, for gateways that connect later`);
  } catch (cause) {
    const where = `${withoutSecrets(config.url)} did not store it (${reasonOf(cause)})`;
    if (gateways === 0) {
      throw new CommandFailure(`no gateway answered, and ${where}: the credential is not revoked`, { cause });
    }
    note(`warning: ${where}: gateways that did not answer still accept the credential`);
  }
}

function lineOf({ gateway = '?', ok, stored, error }: Answer): string {
  return ok === true
    ? `${gateway} revoked it, kept in ${stored ?? '?'}`
    : `${gateway} did not revoke it: ${error ?? '?'}`;
}
