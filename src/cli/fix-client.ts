import { Command, InvalidArgumentError, Option } from 'commander';
import { FixSession, type FixSessionOptions } from './fix-session.js';

const EXAMPLES = `
Logs on with new sequence numbers (ResetSeqNumFlag), sends one MarketDataRequest, and prints a line for each message.
News about the connection goes to standard error. Entry types: 0 bid, 1 offer, 2 trade, 4 open, 5 close, 7 high, 8 low.

Examples:
  $ millrace fix-client AAPL MSFT --password "$TOKEN"
  $ millrace fix-client BTC/USDT --depth 10 --raw --count 20
  $ millrace fix-client AAPL --entries 2 --host fix.example.com --port 9878 --tls`;

/** `millrace fix-client`: a FIX 4.4 client for market data. */
export function fixClientCommand(): Command {
  return new Command('fix-client')
    .description('log on to a FIX 4.4 acceptor, ask for market data, and show what comes')
    .argument('<symbol...>', 'symbols: AAPL, BTC/USDT')
    .addOption(new Option('--host <host>', 'gateway').default('127.0.0.1'))
    .addOption(new Option('--port <port>', 'its FIX_PORT').argParser(whole(1, 65_535)).default(9878))
    .option('--tls', 'connect with TLS', false)
    .option('--ca <file>', 'PEM file of the authority that signed the certificate of the gateway')
    .addOption(new Option('--password <credential>', 'token or API key').env('MILLRACE_TOKEN'))
    .option('--username <user>', 'user of the credential; not needed')
    .addOption(new Option('--sender <id>', 'our CompID').default('FIX-CLIENT'))
    .addOption(new Option('--target <id>', 'FIX_COMP_ID of the gateway').default('MILLRACE'))
    .addOption(new Option('--depth <levels>', 'levels per side; 0 for all').argParser(whole(0, 100)).default(1))
    .addOption(new Option('--entries <types>', 'entry types').argParser(entryTypes).default(['0', '1'], '0,1'))
    .option('--full', 'a whole snapshot at each change', false)
    .option('--snapshot', 'one snapshot and no more', false)
    .option('--raw', 'show messages as they are, with | between fields, and those sent too', false)
    .addOption(new Option('--count <n>', 'stop after this many snapshots and changes').argParser(whole(1, 1e9)))
    .addHelpText('after', EXAMPLES)
    .action(async (symbols: readonly string[], options: FixSessionOptions) => {
      process.exitCode = await new FixSession(symbols, options).run();
    });
}

function whole(min: number, max: number): (text: string) => number {
  return text => {
    const value = /^\d{1,10}$/.test(text) ? Number(text) : Number.NaN;
    if (value >= min && value <= max) return value;
    throw new InvalidArgumentError(`It must be a whole number from ${min} to ${max}.`);
  };
}

function entryTypes(text: string): readonly string[] {
  const types = text.split(',');
  if (types.every(type => /^[0124578]$/.test(type))) return types;
  throw new InvalidArgumentError('It must be some of 0,1,2,4,5,7,8, separated by commas.');
}
