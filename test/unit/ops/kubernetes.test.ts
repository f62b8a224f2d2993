/** R67: ops/kubernetes is what Kubernetes and the gateway take, and what its README says. */
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { readConfig } from '../../../src/config/environment.js';
import { SETTINGS } from '../../../src/config/settings-table.js';
import { probeAnswer } from '../../../src/gateway/edge/probes.js';
import { METRICS } from '../../../src/observe/metrics/table.js';
import { kustomize, type Manifest, manifestsIn } from '../../support/kustomize.js';
import { typeProblems } from '../../support/manifest-types.js';

const require = createRequire(import.meta.url);
const ROOT = fileURLToPath(new URL('../../../', import.meta.url));
const FOLDER = join(ROOT, 'ops/kubernetes');
const OVERLAYS = ['staging', 'production', 'canary'] as const;
const COMPONENTS = ['prometheus-operator', 'tracing', 'tls'] as const;
/** Of the Prometheus operator; Kubernetes does not know it. */
const isOwn = ({ apiVersion }: Manifest) => apiVersion === 'monitoring.coreos.com/v1';

const rendered = new Map<string, Manifest[]>([
  ['base', kustomize(join(FOLDER, 'base'))],
  ...OVERLAYS.map((name): [string, Manifest[]] => [name, kustomize(join(FOLDER, 'overlays', name))]),
  ...COMPONENTS.map((name): [string, Manifest[]] => [
    name,
    kustomize(join(FOLDER, 'components', name), kustomize(join(FOLDER, 'base'))),
  ]),
]);
const manifestsOf = (name: string) => rendered.get(name) ?? [];

interface Container {
  readonly name: string;
  readonly image: string;
  readonly ports?: readonly { readonly name: string; readonly containerPort: number }[];
  readonly env?: readonly { readonly name: string }[];
  readonly envFrom?: readonly { readonly configMapRef: { readonly name: string } }[];
  readonly resources: Readonly<Record<'requests' | 'limits', Readonly<Record<'cpu' | 'memory', string>>>>;
  readonly securityContext: object;
  readonly volumeMounts: readonly { readonly name: string; readonly mountPath: string }[];
  readonly [probe: `${string}Probe`]: { readonly httpGet: { readonly path: string; readonly port: string } };
}

interface PodSpec {
  readonly terminationGracePeriodSeconds: number;
  readonly serviceAccountName: string;
  readonly enableServiceLinks: boolean;
  readonly automountServiceAccountToken?: boolean;
  readonly securityContext: object;
  readonly containers: readonly Container[];
  readonly volumes: readonly {
    readonly name: string;
    readonly secret?: { readonly secretName: string };
    readonly configMap?: { readonly name: string };
  }[];
  readonly topologySpreadConstraints: readonly object[];
}

interface Template {
  readonly metadata: { readonly labels: Readonly<Record<string, string>> };
  readonly spec: PodSpec;
}

interface Pods {
  readonly manifest: Manifest;
  readonly template: Template;
}

/** The pods that manifests create. */
function podsOf(manifests: readonly Manifest[]): Pods[] {
  return manifests.flatMap(manifest => {
    const spec = manifest.spec as { template?: Template; jobTemplate?: { spec: { template: Template } } } | undefined;
    const template = spec?.template ?? spec?.jobTemplate?.spec.template;
    return template === undefined ? [] : [{ manifest, template }];
  });
}

const gatewaysIn = (name: string) => podsOf(manifestsOf(name)).filter(({ manifest }) => manifest.kind === 'Deployment');
const kindIn = (name: string, kind: string) => manifestsOf(name).filter(manifest => manifest.kind === kind);
const specIn = <T>(name: string, kind: string): T => kindIn(name, kind)[0]?.spec as T;

/** The settings that a gateway of these manifests starts with; secrets in files have some value. */
function settingsOf(name: string, { template }: Pods): Record<string, string> {
  const [container] = template.spec.containers;
  const references = container?.envFrom ?? [];
  const data = references.map(({ configMapRef }) => {
    const map = kindIn(name, 'ConfigMap').find(({ metadata }) => metadata.name === configMapRef.name);
    expect(map, `${configMapRef.name} of ${name}`).toBeDefined();
    return map?.data as Record<string, string>;
  });
  const settings: Record<string, string> = Object.assign({}, ...data);
  for (const { name: variable } of container?.env ?? []) settings[variable] = 'millrace-7d9c5b6f4-abcde';
  for (const variable of Object.keys(settings).filter(key => key === 'ADMIN_TOKEN_FILE'))
    settings[variable.replace(/_FILE$/, '')] = 'x'.repeat(32);
  return settings;
}

const seconds = (ms: number) => ms / 1000;

describe('R67 the manifests', () => {
  it.each([...rendered.keys()])('R67 of %s are valid for Kubernetes', name => {
    for (const manifest of manifestsOf(name).filter(m => !isOwn(m))) {
      const { apiVersion, kind } = manifest;
      const models = require(`kubernetes-models/${apiVersion}/${kind}`) as Record<
        string,
        new (
          data: Manifest,
        ) => { validate(): void }
      >;
      const Model = models[kind];
      if (Model === undefined) throw new Error(`no model of ${apiVersion} ${kind}`);
      expect(() => new Model(manifest).validate(), `${kind} ${manifest.metadata.name}`).not.toThrow();
    }
  });

  it('R67 have no member that Kubernetes does not know', () => {
    const all = [...rendered.values()].flat().filter(manifest => !isOwn(manifest));
    expect(all.length).toBeGreaterThan(60);
    expect(typeProblems(all)).toEqual([]);
  });

  it('R67 are found to have one: its models accept it', async () => {
    const { Deployment } = await import('kubernetes-models/apps/v1/Deployment');
    const [deployment] = kindIn('base', 'Deployment') as [Manifest];
    const spec = deployment.spec as Template;
    const misspelt = { ...deployment, spec: { ...spec, replica: 2 } } as unknown as Manifest;
    new Deployment(misspelt as never).validate();
    expect(typeProblems([misspelt])).toEqual([expect.stringContaining('\'"replica"\' does not exist in type')]);
    const [container] = (deployment.spec as { template: Template }).template.spec.containers;
    const deep = structuredClone(misspelt) as unknown as { spec: { replica?: number; template: { spec: object } } };
    delete deep.spec.replica;
    Object.assign(deep.spec.template.spec, { containers: [{ ...container, readinesProbe: {} }] });
    expect(typeProblems([deep as unknown as Manifest])).toEqual([expect.stringContaining('readinesProbe')]);
  });

  it('R67 are what kustomize makes of the folders', ({ skip }) => {
    const program = process.env.KUSTOMIZE_BIN ?? 'kustomize';
    if (spawnSync(program, ['version']).status !== 0) skip('kustomize is not installed: set KUSTOMIZE_BIN');
    // Of the letters and digits that kustomize writes hashes with.
    const hash = /^(millrace.*)-[2456789bcdfghkmt]{10}$/;
    const plain = (_key: string, value: unknown) => (typeof value === 'string' ? value.replace(hash, '$1') : value);
    const sorted = (manifests: readonly Manifest[]) =>
      [...manifests].sort((a, b) => `${a.kind} ${a.metadata.name}`.localeCompare(`${b.kind} ${b.metadata.name}`));
    for (const name of ['base', ...OVERLAYS.map(overlay => `overlays/${overlay}`)]) {
      const text = execFileSync(program, ['build', join(FOLDER, name)], { encoding: 'utf8' });
      const made = text.split(/^---$/m).map(document => JSON.parse(JSON.stringify(parse(document)), plain) as Manifest);
      expect(sorted(made), name).toEqual(sorted(manifestsOf(name.replace('overlays/', ''))));
    }
  });

  it('R67 hold no secret', () => {
    const all = [...rendered.values()].flat();
    expect(all.filter(({ kind }) => kind === 'Secret')).toEqual([]);
    const secrets = [...SETTINGS].filter(([, { type }]) => type.isSecret).map(([name]) => name);
    for (const map of all.filter(({ kind }) => kind === 'ConfigMap')) {
      expect(Object.keys(map.data as object).filter(key => secrets.includes(key))).toEqual([]);
    }
  });
});

describe.each(['base', ...OVERLAYS, ...COMPONENTS])('R67 the gateways of %s', name => {
  it('R67 start with settings that the gateway knows and takes', () => {
    for (const pods of gatewaysIn(name)) {
      const settings = settingsOf(name, pods);
      expect(Object.keys(settings).filter(key => !SETTINGS.has(key))).toEqual([]);
      const config = readConfig({
        AUTH_JWKS_FILE: '/some.json',
        ...settings,
        ...(settings.AUTH_JWKS_URL ? { AUTH_JWKS_FILE: '' } : {}),
      });
      expect(config.adminHost).toBe('0.0.0.0');
      expect(config.nodeName).toBe('millrace-7d9c5b6f4-abcde');
    }
  });

  it('R67 have a thread for each core of their limit, and what they are promised', () => {
    for (const pods of gatewaysIn(name)) {
      const { WORKERS, ENCODERS } = settingsOf(name, pods);
      const [container] = pods.template.spec.containers;
      expect(Number(WORKERS) + Number(ENCODERS) + 1).toBe(Number(container?.resources.limits.cpu));
      expect(container?.resources.requests).toEqual(container?.resources.limits);
    }
  });

  it('R67 may drain before they are killed', () => {
    for (const pods of gatewaysIn(name)) {
      const { times } = readConfig({ ...settingsOf(name, pods), AUTH_JWKS_URL: 'https://a/b' });
      const { terminationGracePeriodSeconds } = pods.template.spec;
      expect(terminationGracePeriodSeconds).toBeGreaterThanOrEqual(
        seconds(times.drainDelayMs) + seconds(times.drainTimeoutMs) + 10,
      );
      const [{ readinessProbe }] = pods.template.spec.containers as unknown as [
        { readinessProbe: { periodSeconds: number; failureThreshold: number; timeoutSeconds: number } },
      ];
      const noticed = (readinessProbe.periodSeconds + readinessProbe.timeoutSeconds) * readinessProbe.failureThreshold;
      expect(seconds(times.drainDelayMs)).toBeGreaterThan(noticed);
    }
  });

  it('R67 are asked at ports and paths that they have', () => {
    for (const { template } of gatewaysIn(name)) {
      const [container] = template.spec.containers;
      const ports = Object.fromEntries((container?.ports ?? []).map(port => [port.name, port.containerPort]));
      expect(ports).toEqual({
        clients: Number(SETTINGS.get('PORT')?.default),
        admin: Number(SETTINGS.get('ADMIN_PORT')?.default),
      });
      for (const probe of ['startupProbe', 'readinessProbe', 'livenessProbe'] as const) {
        const { path, port } = container?.[probe]?.httpGet ?? {};
        expect(port).toBe('admin');
        expect(path).toBe(probe === 'readinessProbe' ? '/readyz' : '/healthz');
        expect(probeAnswer(path ?? '', { isReady: true } as never)?.status).toBe(200);
      }
    }
  });

  it('R67 may do nothing that they need not', () => {
    for (const { template } of podsOf(manifestsOf(name))) {
      expect(template.spec.securityContext).toMatchObject({
        runAsNonRoot: true,
        seccompProfile: { type: 'RuntimeDefault' },
      });
      for (const { securityContext } of template.spec.containers) {
        expect(securityContext).toEqual({
          allowPrivilegeEscalation: false,
          readOnlyRootFilesystem: true,
          capabilities: { drop: ['ALL'] },
        });
      }
      expect(template.spec.enableServiceLinks).toBe(false);
    }
    for (const { template } of gatewaysIn(name)) expect(template.spec.automountServiceAccountToken).toBe(false);
  });

  it('R67 refer to what is there, or what the README says you create', () => {
    const readme = readFileSync(join(FOLDER, 'README.md'), 'utf8');
    const names = (kind: string) => kindIn(name, kind).map(({ metadata }) => metadata.name);
    for (const { template } of podsOf(manifestsOf(name))) {
      const { serviceAccountName, volumes, containers } = template.spec;
      expect(names('ServiceAccount')).toContain(serviceAccountName);
      for (const { secret, configMap } of volumes) {
        if (configMap !== undefined) expect(names('ConfigMap')).toContain(configMap.name);
        else expect(readme).toContain(`${secret?.secretName}`);
      }
      const mounts = containers.flatMap(({ volumeMounts }) => volumeMounts.map(mount => mount.name));
      expect(mounts.sort()).toEqual(volumes.map(volume => volume.name).sort());
    }
    const mounted = gatewaysIn(name).flatMap(({ template }) => template.spec.containers.flatMap(c => c.volumeMounts));
    for (const pods of gatewaysIn(name)) {
      const files = Object.values(settingsOf(name, pods)).filter(value => value.startsWith('/etc/'));
      expect(files.length).toBeGreaterThanOrEqual(2);
      for (const file of files) expect(mounted.map(({ mountPath }) => mountPath)).toContain(dirname(file));
    }
  });

  it('R67 are selected by their labels, and only they', () => {
    const pods = podsOf(manifestsOf(name));
    const isSelected = (selector: Readonly<Record<string, string>>, { template }: Pods) =>
      Object.entries(selector).every(([label, value]) => template.metadata.labels[label] === value);
    for (const { manifest, template } of gatewaysIn(name)) {
      const { matchLabels } = (manifest.spec as { selector: { matchLabels: Readonly<Record<string, string>> } })
        .selector;
      // No Deployment counts the pods of another one.
      expect(pods.filter(pod => isSelected(matchLabels, pod)).map(pod => pod.manifest)).toEqual([manifest]);
      expect(template.spec.topologySpreadConstraints).toHaveLength(2);
      for (const constraint of template.spec.topologySpreadConstraints as readonly Tree[]) {
        expect(constraint.nodeTaintsPolicy).toBe('Honor');
        const selector = constraint.labelSelector as { matchLabels: Readonly<Record<string, string>> };
        expect(pods.filter(pod => isSelected(selector.matchLabels, pod))).toEqual(gatewaysIn(name));
      }
    }
    const selectors = [
      ...kindIn(name, 'Service').map(({ spec }) => (spec as { selector: Readonly<Record<string, string>> }).selector),
      ...kindIn(name, 'PodDisruptionBudget').map(({ spec }) => (spec as Selector).selector.matchLabels),
      ...kindIn(name, 'NetworkPolicy').map(({ spec }) => (spec as Selector).podSelector.matchLabels),
    ];
    for (const selector of selectors) expect(pods.filter(pod => isSelected(selector, pod))).toEqual(gatewaysIn(name));
    for (const { metadata, kind } of manifestsOf(name).filter(m => !['ConfigMap'].includes(m.kind))) {
      expect(metadata.labels, `${kind} ${metadata.name}`).toHaveProperty('app.kubernetes.io/part-of', 'millrace');
    }
  });
});

type Tree = Readonly<Record<string, unknown>>;

interface Selector {
  readonly selector: { readonly matchLabels: Readonly<Record<string, string>> };
  readonly podSelector: { readonly matchLabels: Readonly<Record<string, string>> };
}

interface Autoscaler {
  readonly minReplicas: number;
  readonly maxReplicas: number;
  readonly scaleTargetRef: { readonly name: string };
  readonly metrics: readonly [
    { readonly resource: { readonly target: { readonly averageUtilization: number } } },
    {
      readonly pods: { readonly metric: { readonly name: string }; readonly target: { readonly averageValue: string } };
    },
  ];
  readonly behavior: {
    readonly scaleDown: { readonly tolerance: string; readonly stabilizationWindowSeconds: number };
  };
}

describe('R67 the autoscaler', () => {
  it('R67 adds gateways from 80 % CPU or 8,000 of 10,000 connections, and ends them below 30 % for ten minutes', () => {
    const { minReplicas, maxReplicas, scaleTargetRef, metrics, behavior } = specIn<Autoscaler>(
      'base',
      'HorizontalPodAutoscaler',
    );
    expect([minReplicas, maxReplicas]).toEqual([1, 10]);
    expect(scaleTargetRef.name).toBe(kindIn('base', 'Deployment')[0]?.metadata.name);
    const [cpu, connections] = metrics;
    expect(cpu.resource.target.averageUtilization).toBe(80);
    expect(Number(connections.pods.target.averageValue) / Number(SETTINGS.get('WS_MAX_CONNECTIONS')?.default)).toBe(
      0.8,
    );
    expect(METRICS.map(({ name }) => name)).toContain(connections.pods.metric.name);
    expect(80 * (1 - Number(behavior.scaleDown.tolerance))).toBe(30);
    expect(behavior.scaleDown.stabilizationWindowSeconds).toBe(600);
    const adapter = readFileSync(join(FOLDER, 'prometheus-adapter.yaml'), 'utf8');
    expect(adapter).toContain(`matches: ${connections.pods.metric.name}`);
  });

  it('R67 keeps two in production, and leaves the canary one in ten', () => {
    expect(specIn<Autoscaler>('production', 'HorizontalPodAutoscaler').minReplicas).toBe(2);
    const { minReplicas, maxReplicas } = specIn<Autoscaler>('canary', 'HorizontalPodAutoscaler');
    const canary = kindIn('canary', 'Deployment').find(({ metadata }) => metadata.name === 'millrace-canary');
    const { replicas } = canary?.spec as { replicas: number };
    expect([minReplicas, maxReplicas, replicas / (replicas + maxReplicas)]).toEqual([9, 9, 0.1]);
  });
});

describe('R67 the network policy', () => {
  it('R67 lets in clients, and Prometheus to the admin port; lets out to DNS, NATS and the key set', () => {
    const { ingress, egress, policyTypes } = specIn<Record<'ingress' | 'egress' | 'policyTypes', readonly Rule[]>>(
      'base',
      'NetworkPolicy',
    );
    expect(policyTypes).toEqual(['Ingress', 'Egress']);
    const portsOf = (rules: readonly Rule[]) => rules.map(({ ports }) => [...new Set(ports.map(({ port }) => port))]);
    expect(portsOf(ingress)).toEqual([['clients'], ['admin']]);
    expect(ingress.map(({ from }) => from?.length ?? 'anyone')).toEqual(['anyone', 1]);
    const config = readConfig({ ...settingsOf('base', gatewaysIn('base')[0] as Pods), AUTH_JWKS_URL: 'https://a/b' });
    expect(portsOf(egress)).toEqual([[53], [Number(new URL(config.nats.url).port)], [443]]);
    expect(egress.every(({ to }) => to !== undefined && to.length > 0)).toBe(true);
  });
});

interface Rule {
  readonly from?: readonly object[];
  readonly to?: readonly object[];
  readonly ports: readonly { readonly port: string | number }[];
}

describe('R67 the ServiceMonitor', () => {
  it('R67 finds the admin port, with the token that the gateway takes', () => {
    const [monitor] = manifestsIn(join(FOLDER, 'components/prometheus-operator/service-monitor.yaml')) as [Manifest];
    expect(Object.keys(monitor.spec as object).sort()).toEqual(['endpoints', 'jobLabel', 'selector']);
    const { endpoints, selector, jobLabel } = monitor.spec as Tree & {
      endpoints: readonly Tree[];
      selector: { matchLabels: Readonly<Record<string, string>> };
      jobLabel: string;
    };
    const [found] = kindIn('base', 'Service').filter(({ metadata }) =>
      Object.entries(selector.matchLabels).every(([label, value]) => metadata.labels?.[label] === value),
    );
    expect(found?.metadata.name).toBe('millrace-admin');
    expect(found?.metadata.labels?.[jobLabel]).toBe('millrace');
    const { ports } = found?.spec as { ports: readonly { name: string; targetPort: string }[] };
    expect(ports).toEqual([{ name: 'admin', port: 9090, targetPort: 'admin' }]);
    const credentials = { name: 'millrace-secrets', key: 'admin-token' };
    expect(endpoints).toEqual([
      { port: 'admin', path: '/metrics', interval: '10s', authorization: { type: 'Bearer', credentials } },
    ]);
  });
});

describe('R67 the alerts', () => {
  it('R67 become a PrometheusRule by the command of the README', ({ skip }) => {
    const alerts = join(ROOT, 'ops/prometheus/alerts.yml');
    if (!existsSync(alerts)) skip('ops/prometheus/alerts.yml is not here');
    const readme = readFileSync(join(FOLDER, 'README.md'), 'utf8');
    const command = /^(printf .*?) \| kubectl/ms.exec(readme)?.[1] ?? '';
    const rule = parse(execFileSync('bash', ['-c', command], { cwd: FOLDER, encoding: 'utf8' })) as Manifest;
    const { groups } = parse(readFileSync(alerts, 'utf8')) as Tree;
    expect(rule).toEqual({
      apiVersion: 'monitoring.coreos.com/v1',
      kind: 'PrometheusRule',
      metadata: { name: 'millrace' },
      spec: { groups },
    });
  });
});

describe('R67 the folder', () => {
  it('R67 has no file that no overlay uses', () => {
    const files = readdirSync(FOLDER, { recursive: true, encoding: 'utf8' }).filter(file =>
      /\.(ya?ml|env|mjs)$/.test(file),
    );
    const used = files
      .filter(file => file.endsWith('kustomization.yaml'))
      .flatMap(file => {
        const text = readFileSync(join(FOLDER, file), 'utf8');
        return [...text.matchAll(/^\s*- (?:path: )?([\w./-]+)$/gm)].map(([, path]) => join(dirname(file), path ?? ''));
      });
    const unused = files.filter(file => !file.endsWith('kustomization.yaml') && !used.includes(file));
    expect(unused).toEqual(['prometheus-adapter.yaml']);
  });
});
