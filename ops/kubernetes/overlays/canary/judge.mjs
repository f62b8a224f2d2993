/**
 * Ends the canary (scales it to 0) if its p95 is over the limit, or if it cannot be judged: Prometheus does not answer,
 * or has not read the canary ten minutes after it was deployed. Exits with 1 then, so that its Job has failed.
 *
 * Settings: PROMETHEUS_URL, DEPLOYMENT, NAMESPACE, P95_MAX_MS. Kubernetes sets the API's address.
 */
import { readFile } from 'node:fs/promises';

const ACCOUNT = process.env.SERVICE_ACCOUNT_DIR ?? '/var/run/secrets/kubernetes.io/serviceaccount';
const REQUEST_MS_MAX = 10_000;
/** What Prometheus and the rollout may take before there must be a measurement. */
const GRACE_MS = 10 * 60_000;
/** Fewer frames in five minutes say nothing about a percentile. */
const FRAMES_MIN = 1_000;

const { PROMETHEUS_URL, DEPLOYMENT, NAMESPACE, P95_MAX_MS } = process.env;
const apiUrl =
  process.env.KUBERNETES_API_URL ??
  `https://${process.env.KUBERNETES_SERVICE_HOST}:${process.env.KUBERNETES_SERVICE_PORT}`;
const deploymentUrl = `${apiUrl}/apis/apps/v1/namespaces/${NAMESPACE}/deployments/${DEPLOYMENT}`;
const pods = `namespace="${NAMESPACE}",pod=~"${DEPLOYMENT}-.*"`;
const frames = 'millrace_hub_to_publish_seconds';
/** Slower classes wait by design. */
const realtime = `${pods},class="realtime"`;

async function requested(url, options = {}) {
  const response = await fetch(url, { ...options, signal: AbortSignal.timeout(REQUEST_MS_MAX) });
  if (!response.ok) throw new Error(`${new URL(url).pathname}: HTTP ${response.status}`);
  return response.json();
}

async function kubernetes(url, options = {}) {
  const token = await readFile(`${ACCOUNT}/token`, 'utf8');
  const headers = { ...options.headers, authorization: `Bearer ${token.trim()}` };
  return requested(url, { ...options, headers });
}

/** The value of a query with one result; undefined without one. */
async function measured(query) {
  const { data } = await requested(`${PROMETHEUS_URL}/api/v1/query?query=${encodeURIComponent(query)}`);
  const value = Number(data.result[0]?.value[1]);
  return Number.isFinite(value) ? value : undefined;
}

/** Why the canary must end; undefined: it may run. */
async function verdict(deployment) {
  try {
    if ((await measured(`count(up{${pods}} == 1)`)) === undefined) {
      const progress = deployment.status?.conditions?.find(({ type }) => type === 'Progressing');
      const ageMs = Date.now() - Date.parse(progress?.lastUpdateTime ?? deployment.metadata.creationTimestamp);
      return ageMs > GRACE_MS ? 'Prometheus does not read it' : undefined;
    }
    const count = (await measured(`sum(increase(${frames}_count{${realtime}}[5m]))`)) ?? 0;
    const p95 = await measured(`histogram_quantile(0.95, sum by (le) (rate(${frames}_bucket{${realtime}}[5m])))`);
    const text = p95 === undefined ? 'unknown' : `${Math.round(p95 * 10_000) / 10} ms`;
    console.log(`canary: ${Math.round(count)} frames in 5 minutes, p95 ${text}`);
    if (count < FRAMES_MIN || p95 === undefined) return undefined;
    return p95 * 1000 > Number(P95_MAX_MS) ? `p95 is ${text}, over ${P95_MAX_MS} ms` : undefined;
  } catch (cause) {
    return `it cannot be judged: ${cause.message}${cause.cause === undefined ? '' : ` (${cause.cause.message})`}`;
  }
}

const deployment = await kubernetes(deploymentUrl);
if (deployment.spec.replicas === 0) {
  console.log('no canary runs');
} else {
  const problem = await verdict(deployment);
  if (problem === undefined) {
    console.log('the canary may run');
  } else {
    await kubernetes(`${deploymentUrl}/scale`, {
      method: 'PATCH',
      headers: { 'content-type': 'application/merge-patch+json' },
      body: JSON.stringify({ spec: { replicas: 0 } }),
    });
    console.error(`the canary is rolled back: ${problem}`);
    process.exitCode = 1;
  }
}
