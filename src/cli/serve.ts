import { Command } from 'commander';

const EXAMPLES = `
Without settings it runs the built-in market simulator and signs a token for this run.

Examples:
  $ millrace serve
  $ NATS_URL=nats://127.0.0.1:4222 AUTH_JWT_SECRET=… PORT=8080 millrace serve
  $ FEED=replay REPLAY_FILE=monday.rec REPLAY_SPEED=10 millrace serve`;

/** `millrace serve`: the gateway, until SIGTERM or SIGINT. */
export function serveCommand(): Command {
  return new Command('serve')
    .description('run the gateway, configured by environment variables')
    .addHelpText('after', EXAMPLES)
    .action(async () => {
      // Loaded here so that the other commands need no native module.
      const { runGateway } = await import('./gateway-process.js');
      await runGateway(process.env);
    });
}
