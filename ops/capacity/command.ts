/** The command line of the capacity sheet. */
import { Command, InvalidArgumentError, Option } from 'commander';
import { type Capacity, capacityOf } from './model.js';
import { CLASSES, DEFAULTS, type Plan, TLS } from './plan.js';

const EXAMPLES = `
Examples:
  $ npm run capacity -- --clients 100000
  $ npm run capacity -- --clients 1000000 --rate 20 --symbols 500 --class 1000ms --format msgpack
  $ npm run capacity -- --clients 5000 --institutional 1 --rate 200 --cores 32 --json`;

export interface Asked {
  readonly capacity: Capacity | undefined;
  readonly json: boolean;
  readonly constants: boolean;
  readonly update: boolean;
}

function command(): Command {
  const amount = (flags: string, text: string, fallback: number | undefined) => {
    const option = new Option(flags, text).argParser(decimal);
    return fallback === undefined ? option : option.default(fallback);
  };
  const d = DEFAULTS;
  return new Command('npm run capacity --')
    .description(
      'Calculates machines, processors, memory and NATS traffic for a number of clients, from measured figures.',
    )
    .addOption(amount('--clients <n>', 'connections at the same time', undefined))
    .addOption(amount('--symbols <n>', 'symbols that are published', d.symbols))
    .addOption(amount('--rate <n>', 'updates of each symbol a second', d.rate))
    .addOption(amount('--per-client <n>', 'symbols that a client follows', d.perClient))
    .addOption(new Option('--class <name>', 'of retail clients').choices(Object.keys(CLASSES)).default(d.rateClass))
    .addOption(amount('--institutional <share>', 'share of clients in realtime, 0 to 1', d.institutional))
    .addOption(new Option('--format <name>', 'of messages').choices(['json', 'msgpack']).default(d.format))
    .addOption(amount('--message-bytes <n>', 'of a message to a client; default: a quote in the format', undefined))
    .addOption(amount('--feed-bytes <n>', 'of a message from a publisher', d.feedBytes))
    .addOption(new Option('--tls <where>', 'on: at gateways; proxy: at a balancer').choices(TLS).default(d.tls))
    .addOption(new Option('--no-jetstream', 'core NATS alone'))
    .addOption(amount('--slow <share>', 'share of clients that read nothing at some moment', d.slow))
    .addOption(amount('--write-micros <n>', 'CPU of one write to a socket', d.writeMicros))
    .addOption(amount('--connections-per-gateway <n>', 'most at one gateway', d.connectionsPerGateway))
    .addOption(amount('--cores <n>', 'of a machine', d.cores))
    .addOption(amount('--memory-gib <n>', 'of a machine', d.memoryGib))
    .addOption(amount('--nic-gbit <n>', 'network of a machine, each direction', d.nicGbit))
    .addOption(amount('--target <share>', 'most that is used of a machine, 0 to 1', d.target))
    .addOption(amount('--spare <n>', 'machines that may fail', d.spare))
    .option('--json', 'everything calculated, as JSON', false)
    .option('--constants', 'print the figures behind the sheet, and where they were measured', false)
    .option('--update', 'write the sheets of ops/capacity.md again', false)
    .addHelpText('after', EXAMPLES);
}

/**
 * @param args without the program's name
 * @throws {PlanError} if the plan cannot be
 */
export function askedBy(args: readonly string[]): Asked {
  const { json, constants, update, class: rateClass, ...plan } = command().parse(args, { from: 'user' }).opts();
  const isSheet = !constants && !update;
  const capacity = isSheet ? capacityOf({ messageBytes: undefined, ...plan, rateClass } as Plan) : undefined;
  return { capacity, json, constants, update };
}

function decimal(text: string): number {
  if (!/^\d+(\.\d+)?$/.test(text)) throw new InvalidArgumentError('It must be a number.');
  return Number(text);
}
