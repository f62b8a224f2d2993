/**
 * What `kubectl kustomize` makes of the folders in ops/kubernetes, as far as they use it: resources, components, merged
 * ConfigMaps, strategic merges, namespace, suffix and images. Names of ConfigMaps have no hash here.
 */
import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { parse, parseAllDocuments } from 'yaml';

export interface Manifest {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { name: string; namespace?: string; readonly labels?: Readonly<Record<string, string>> };
  readonly [member: string]: unknown;
}

type Tree = { [member: string]: unknown };

interface Generator {
  readonly name: string;
  readonly behavior?: 'merge';
  readonly envs?: readonly string[];
  readonly literals?: readonly string[];
  readonly files?: readonly string[];
}

interface Kustomization {
  readonly resources?: readonly string[];
  readonly components?: readonly string[];
  readonly configMapGenerator?: readonly Generator[];
  readonly patches?: readonly { readonly path: string }[];
  readonly namespace?: string;
  readonly nameSuffix?: string;
  readonly images?: readonly { readonly name: string; readonly newName: string; readonly newTag: string }[];
}

/** What identifies an item of a list, by the list's member. */
const MERGE_KEYS: Readonly<Record<string, string>> = {
  containers: 'name',
  env: 'name',
  volumes: 'name',
  volumeMounts: 'mountPath',
};
const CLUSTER_WIDE: ReadonlySet<string> = new Set(['Namespace']);

export function manifestsIn(file: string): Manifest[] {
  return parseAllDocuments(readFileSync(file, 'utf8')).map(document => document.toJS() as Manifest);
}

/** @param before the manifests that a component changes */
export function kustomize(folder: string, before: readonly Manifest[] = []): Manifest[] {
  const k = parse(readFileSync(join(folder, 'kustomization.yaml'), 'utf8')) as Kustomization;
  let all = [...before];
  for (const resource of k.resources ?? []) {
    const path = join(folder, resource);
    all.push(...(statSync(path).isDirectory() ? kustomize(path) : manifestsIn(path)));
  }
  for (const component of k.components ?? []) all = kustomize(join(folder, component), all);
  for (const generator of k.configMapGenerator ?? []) generate(folder, generator, all);
  for (const { path } of k.patches ?? []) {
    for (const patch of manifestsIn(join(folder, path))) {
      const at = all.findIndex(({ kind, metadata }) => kind === patch.kind && metadata.name === patch.metadata.name);
      if (at < 0)
        throw new Error(`${folder}: ${path} patches ${patch.kind} ${patch.metadata.name}, which is not there`);
      all[at] = merged(all[at], patch) as Manifest;
    }
  }
  if (k.namespace !== undefined) for (const manifest of all) setNamespace(manifest, k.namespace);
  if (k.nameSuffix !== undefined) all = withSuffix(all, k.nameSuffix);
  for (const { name, newName, newTag } of k.images ?? []) {
    all = mapTexts(all, 'image', image => (image === name ? `${newName}:${newTag}` : image));
  }
  return all;
}

/** Settings of a file of `NAME=value` lines. */
export function settingsIn(file: string): Record<string, string> {
  const lines = readFileSync(file, 'utf8').split('\n');
  return Object.fromEntries(lines.filter(line => /^\w+=/.test(line)).map(line => pairOf(line)));
}

function pairOf(text: string): [string, string] {
  const at = text.indexOf('=');
  return [text.slice(0, at), text.slice(at + 1)];
}

function generate(folder: string, { name, behavior, envs, literals, files }: Generator, all: Manifest[]): void {
  const data = {
    ...Object.assign({}, ...(envs ?? []).map(file => settingsIn(join(folder, file)))),
    ...Object.fromEntries((literals ?? []).map(pairOf)),
    ...Object.fromEntries((files ?? []).map(file => [file, readFileSync(join(folder, file), 'utf8')])),
  };
  if (behavior === undefined) {
    all.push({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name }, data });
    return;
  }
  const at = all.findIndex(({ kind, metadata }) => kind === 'ConfigMap' && metadata.name === name);
  if (at < 0) throw new Error(`${folder}: no ConfigMap ${name} to merge into`);
  all[at] = merged(all[at], { data }) as Manifest;
}

function merged(base: unknown, patch: unknown, member = ''): unknown {
  if (Array.isArray(base) && Array.isArray(patch)) {
    const key = MERGE_KEYS[member];
    if (key === undefined) return patch;
    const same = (a: Tree, b: Tree) => a[key] === b[key];
    const [bases, patches] = [base as Tree[], patch as Tree[]];
    const changed = bases.map(item => merged(item, patches.find(other => same(item, other)) ?? {}));
    return [...changed, ...patches.filter(item => !bases.some(other => same(item, other)))];
  }
  if (!isTree(base) || !isTree(patch)) return patch;
  const result: Tree = { ...base };
  for (const [name, value] of Object.entries(patch))
    result[name] = name in base ? merged(base[name], value, name) : value;
  return result;
}

const isTree = (value: unknown): value is Tree => typeof value === 'object' && value !== null && !Array.isArray(value);

function setNamespace({ kind, metadata, subjects }: Manifest, namespace: string): void {
  if (CLUSTER_WIDE.has(kind)) return;
  metadata.namespace = namespace;
  for (const subject of (subjects ?? []) as Tree[]) if (subject.namespace === 'default') subject.namespace = namespace;
}

/** Renames manifests, and their references to each other's ConfigMaps. */
function withSuffix(all: readonly Manifest[], suffix: string): Manifest[] {
  const configs = new Set(all.filter(({ kind }) => kind === 'ConfigMap').map(({ metadata }) => metadata.name));
  const renamed = all.map(m => ({ ...m, metadata: { ...m.metadata, name: m.metadata.name + suffix } }));
  return mapTexts(renamed, 'name', (name, parent) =>
    parent === 'configMapRef' && configs.has(name) ? name + suffix : name,
  );
}

/** Replaces the text of each member of this name. */
function mapTexts<T>(value: T, member: string, map: (text: string, parent: string) => string, parent = ''): T {
  if (Array.isArray(value)) return value.map(item => mapTexts(item, member, map, parent)) as T;
  if (!isTree(value)) return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, inner]) =>
      name === member && typeof inner === 'string'
        ? [name, map(inner, parent)]
        : [name, mapTexts(inner, member, map, name)],
    ),
  ) as T;
}
