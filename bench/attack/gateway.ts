/** The gateway that is attacked: its limits are the defaults, so that they are what protects the others. */
import { symbolsOf, symbolsOfClient } from '../fanout/layout.js';
import type { GatewayThreads } from '../fanout/millrace.js';
import { OPEN_LIMITS, startGateway } from '../harness/gateway.js';
import { mintTokens } from '../harness/tokens.js';
import { DELIVERY, type LatencyContender } from '../latency/contender.js';
import { type Market, publishMarket } from './market.js';

/** Few, so that one machine can fill them. */
export const CONNECTIONS_MAX = 500;

/** The limits of the attacked gateway, given those that other benchmarks or tests set: the defaults, as an empty value is. */
export function defaultLimits(others: Readonly<Record<string, string>>): Record<string, string> {
  const limits = Object.keys(others).filter(name => name.startsWith('WS_'));
  return {
    ...Object.fromEntries(limits.map(name => [name, ''])),
    WS_MAX_CONNECTIONS: String(CONNECTIONS_MAX),
    AUTH_ANONYMOUS: 'on',
  };
}

/** Serves the clients of the layout, each an institutional user, and knows the market besides. */
export function attackedGateway(
  secret: string,
  market: Market,
  threads: GatewayThreads,
  env: Readonly<Record<string, string>> = {},
): LatencyContender {
  return {
    name: 'millrace',
    form: 'quotes',
    start: async (children, nats, layout) => {
      const gateway = await startGateway(children, {
        ...defaultLimits(OPEN_LIMITS),
        FEED: 'nats',
        NATS_URL: nats.url,
        AUTH_JWT_SECRET: secret,
        WORKERS: threads.workers,
        ENCODERS: threads.encoders,
        SYMBOLS: symbolsOf(layout).join(','),
        ...env,
      });
      await publishMarket(nats.url, gateway.adminPort, market);
      const tokens = await mintTokens(secret, layout.clients);
      return {
        ...gateway,
        clients: tokens.map((token, client) => ({
          path: `/ws/quotes?symbols=${symbolsOfClient(layout, client).join(',')}&class=realtime&timestamps=1&token=${token}`,
        })),
        delivery: DELIVERY,
        isStateful: true,
      };
    },
  };
}
