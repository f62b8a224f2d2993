import { Argument, Command, Option } from 'commander';
import { LOG_LEVELS } from '../config/variables/process.js';
import { printableJson } from '../observe/terminal-text.js';
import { STREAMS } from '../protocol/topics.js';
import { FORMATS, TIERS } from '../protocol/view-options.js';
import { CONNECTION_CONDITIONS, CONNECTION_SORTS, SEVERITIES } from '../threads/admin-messages.js';
import { AdminPort } from './admin-port.js';
import * as shown from './admin-tables.js';
import { CommandFailure } from './failure.js';
import { say } from './output.js';

const EXAMPLES = `
Asks the gateway at --admin, MILLRACE_ADMIN_URL, or ADMIN_HOST and ADMIN_PORT, with ADMIN_TOKEN if it is set (a token of an admin
role works, too). ops/admin.md says what each answer means.

Examples:
  $ millrace admin stats
  $ millrace admin connections --condition slow --sort buffered
  $ millrace admin end 5f0c2a91e3d7-2s --reason 'floods rooms'
  $ millrace admin topic quotes:AAPL --json
  $ millrace admin broadcast 'Maintenance at 22:00 UTC' --all --severity warning
  $ MILLRACE_ADMIN_URL=http://10.0.0.7:9090 ADMIN_TOKEN=… millrace admin drain --reason 'new kernel'`;

type Values = Readonly<Record<string, string | boolean | undefined>>;

/** `millrace admin`: what an operator asks of a running gateway, and tells it. */
export function adminCommand(): Command {
  const admin = new Command('admin')
    .description('inspect a running gateway, and give it orders')
    .addHelpText('after', EXAMPLES);
  for (const command of [...reads(), ...changes()]) admin.addCommand(command);
  return admin;
}

const segment = (text: string): string => encodeURIComponent(text);
const reasonOption = () => new Option('--reason <text>', 'why, for the log');

/** A command with the options of all. */
function command(name: string, description: string): Command {
  return new Command(name)
    .description(description)
    .addOption(new Option('--admin <url>', 'admin port of the gateway').env('MILLRACE_ADMIN_URL'))
    .option('--json', 'print the answer as JSON');
}

/** Asks, and prints the answer as lines for people, or as it is. */
async function ask(
  options: Values,
  asked: Parameters<AdminPort['ask']>[0],
  linesOf: (answer: never) => readonly string[],
): Promise<void> {
  const text = await new AdminPort(options.admin as string | undefined, process.env).ask(asked);
  if (options.json === true) say(printableJson(text));
  else for (const line of linesOf(JSON.parse(text) as never)) say(line);
}

/** A command that reads one thing without arguments. */
function plain(name: string, description: string, linesOf: (answer: never) => readonly string[]): Command {
  return command(name, description).action((options: Values) =>
    ask(options, { method: 'GET', path: `/${name}` }, linesOf),
  );
}

const pageOptions = (one: Command): Command =>
  one
    .addOption(new Option('--order <order>', 'direction').choices(['desc', 'asc']))
    .addOption(new Option('--limit <n>', 'entries, at most 1000').default('20'))
    .option('--after <cursor>', 'continue a list: `next` of the page before');

function queryOf({ admin: _, json: __, ...query }: Values) {
  return query as Readonly<Record<string, string | undefined>>;
}

function reads(): Command[] {
  const connections = command('connections', 'list connections')
    .option('--user <user>', 'of this user')
    .option('--address <address>', 'from this address')
    .addOption(new Option('--tier <tier>', 'of this tier').choices(TIERS))
    .addOption(new Option('--format <format>', 'with this format').choices(FORMATS))
    .option('--topic <topic>', 'that follow this topic')
    .option('--endpoint <endpoint>', 'at this endpoint')
    .addOption(new Option('--condition <condition>', 'in this condition').choices(CONNECTION_CONDITIONS))
    .addOption(new Option('--sort <by>', 'order').choices(CONNECTION_SORTS));
  const topics = command('topics', 'list topics')
    .option('--prefix <text>', 'whose name begins with this: quotes:A')
    .addOption(new Option('--stream <stream>', 'of this stream').choices(STREAMS))
    .addOption(new Option('--condition <condition>', 'in this condition').choices(['stale']))
    .addOption(new Option('--sort <by>', 'order').choices(['subscribers', 'rate', 'name']));
  return [
    plain('stats', 'the process in numbers', shown.statsLines),
    pageOptions(connections).action((options: Values) =>
      ask(options, { method: 'GET', path: '/connections', query: queryOf(options) }, shown.connectionsLines),
    ),
    command('connection', 'everything known of a connection, with its last events')
      .argument('<id>', 'its id')
      .action((id: string, options: Values) =>
        ask(options, { method: 'GET', path: `/connections/${segment(id)}` }, shown.connectionLines),
      ),
    command('user', 'a user: connections, topics, limits, revocation')
      .argument('<user>', 'as in the credential')
      .action((user: string, options: Values) =>
        ask(options, { method: 'GET', path: `/users/${segment(user)}` }, shown.userLines),
      ),
    pageOptions(topics).action((options: Values) =>
      ask(options, { method: 'GET', path: '/topics', query: queryOf(options) }, shown.topicsLines),
    ),
    command('topic', 'a topic with its current document')
      .argument('<topic>', 'stream:name, e.g. quotes:AAPL')
      .action((topic: string, options: Values) =>
        ask(options, { method: 'GET', path: `/topics/${segment(topic)}` }, shown.topicLines),
      ),
    plain('threads', 'the threads and their load', shown.threadsLines),
    plain('feed', 'the feed and its servers', shown.feedLines),
    plain('alerts', 'the state of surveillance, and its last 100 alerts with evidence', shown.alertsLines),
    command('usage', 'usage of licensed products in a month, from this gateway’s journal')
      .option('--month <month>', 'such as 2026-11 (default: the current one)')
      .action((options: Values) =>
        ask(options, { method: 'GET', path: '/usage', query: queryOf(options) }, shown.usageLines),
      ),
    plain('journal', 'the journal: its state, lag and last checkpoint', shown.journalLines),
    plain('config', 'the settings in effect, secrets hidden', shown.configLines),
    plain('revocations', 'the revocations in force, at most 5,000', shown.revocationsLines),
  ];
}

function changes(): Command[] {
  return [endCommand(), revokeCommand(), drainCommand(), logLevelCommand(), broadcastCommand()];
}

function endCommand(): Command {
  return command('end', 'end a connection')
    .argument('<id>', 'its id')
    .addOption(new Option('--code <code>', '1001: the client reconnects; 4503: it must not').choices(['1001', '4503']))
    .addOption(reasonOption())
    .action((id: string, { reason, code, ...options }: Values) => {
      const body = { reason, code: code === undefined ? undefined : Number(code) };
      return ask(options, { method: 'DELETE', path: `/connections/${segment(id)}`, body }, shown.endedLines);
    });
}

function revokeCommand(): Command {
  return command('revoke', 'revoke a user’s credentials, a token or an API key')
    .option('--sub <user>', 'a user: every credential issued until now')
    .option('--jti <id>', 'a token id')
    .option('--api-key <id>', 'an API key id')
    .addOption(reasonOption())
    .action(({ sub, jti, apiKey, reason, ...options }: Values) => {
      const body = { sub, jti, api_key: apiKey, reason };
      if ([sub, jti, apiKey].filter(value => value !== undefined).length !== 1) {
        throw new CommandFailure('name exactly one of --sub, --jti and --api-key');
      }
      return ask(options, { method: 'POST', path: '/revocations', body }, shown.revokedLines);
    });
}

function drainCommand(): Command {
  return command('drain', 'redirect all clients and refuse new ones; the process keeps running')
    .addOption(reasonOption())
    .action(({ reason, ...options }: Values) =>
      ask(options, { method: 'POST', path: '/drain', body: { reason } }, shown.drainedLines),
    );
}

function logLevelCommand(): Command {
  return command('log-level', 'show the log level, or change it until the next reload')
    .addArgument(new Argument('[level]', 'the new one').choices(LOG_LEVELS))
    .addOption(reasonOption())
    .action((level: string | undefined, { reason, ...options }: Values) =>
      level === undefined
        ? ask(options, { method: 'GET', path: '/log-level' }, shown.logLevelLines)
        : ask(options, { method: 'PUT', path: '/log-level', body: { level, reason } }, shown.logLevelLines),
    );
}

function broadcastCommand(): Command {
  return command('broadcast', 'send a notice to clients')
    .argument('<message>', 'for people')
    .option('--all', 'to every connection')
    .option('--user <user>', 'to a user’s connections')
    .option('--topic <topic>', 'to the subscribers of a topic')
    .addOption(new Option('--severity <severity>', 'how serious').choices(SEVERITIES))
    .addOption(reasonOption())
    .action((message: string, { all, user, topic, severity, reason, ...options }: Values) => {
      const targets = [
        ...(all === true ? [{ all: true }] : []),
        ...(user === undefined ? [] : [{ user }]),
        ...(topic === undefined ? [] : [{ topic }]),
      ];
      if (targets.length !== 1) throw new CommandFailure('name exactly one of --all, --user and --topic');
      const body = { message, severity, reason, to: targets[0] };
      return ask(options, { method: 'POST', path: '/broadcast', body }, shown.broadcastLines);
    });
}
