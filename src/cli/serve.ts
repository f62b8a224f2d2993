import { Command } from 'commander';

const EXAMPLES = `
Without settings it runs the built-in market simulator and signs a token for this run.

Examples:
  $ millrace serve
  $ NATS_URL=nats://127.0.0.1:4222 AUTH_JWT_SECRET=… PORT=8080 millrace serve
  $ FEED=replay REPLAY_FILE=monday.rec REPLAY_SPEED=10 millrace serve
  $ PORT=8080 millrace serve --takeover     in place of the one that runs, without refusing anybody

SIGTERM sends the clients elsewhere, spread over DRAIN_TIMEOUT, and ends; SIGINT, or a second signal, ends at once.
SIGQUIT is SIGTERM that frees ADMIN_PORT at once. SIGHUP reads TLS_CERT and TLS_KEY anew.`;

/** `millrace serve`: the gateway, until a signal ends it. */
export function serveCommand(): Command {
  return new Command('serve')
    .description('run the gateway, configured by environment variables')
    .option('--takeover', 'start beside the process that serves these ports, then have it drain (Linux)')
    .addHelpText('after', EXAMPLES)
    .action(async ({ takeover = false }: { takeover?: boolean }) => {
      // Loaded here so that the other commands need no native module.
      const { runGateway } = await import('./gateway-process.js');
      await runGateway(process.env, takeover);
    });
}
