/** The probes of load balancers on the client port: the status of the admin port's, without detail. */
import type { SharedReadiness } from '../../threads/shared-readiness.js';

interface ProbeAnswer {
  readonly status: 200 | 503;
  readonly body: string;
}

/** Undefined for any other path. */
export function probeAnswer(path: string, readiness: SharedReadiness): ProbeAnswer | undefined {
  if (path === '/healthz') return { status: 200, body: '{"status":"ok"}' };
  if (path !== '/readyz') return undefined;
  const { isReady } = readiness;
  return { status: isReady ? 200 : 503, body: JSON.stringify({ ready: isReady }) };
}
