/**
 * Finds members that Kubernetes does not know, by the types of kubernetes-models: its validators accept any. Manifests
 * become literals in a module that is only type-checked.
 */
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';
import type { Manifest } from './kustomize.js';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const FILE = join(ROOT, 'test/unit/ops/manifests-as-literals.ts');
const OPTIONS: ts.CompilerOptions = {
  strict: true,
  noEmit: true,
  skipLibCheck: true,
  types: [],
  target: ts.ScriptTarget.ES2022,
  module: ts.ModuleKind.ESNext,
  moduleResolution: ts.ModuleResolutionKind.Bundler,
};

/** What is wrong with each, in the compiler's words. @param partial patches, which may lack members */
export function typeProblems(manifests: readonly Manifest[], partial = false): string[] {
  const source = [
    'type Partly<T> = T extends object ? { [M in keyof T]?: Partly<T[M]> } : T;',
    ...manifests.map(({ apiVersion, kind, ...rest }, i) => {
      const type = `import('kubernetes-models/${apiVersion}/${kind}').I${kind}`;
      const literal = JSON.stringify({ apiVersion, kind, ...rest }, undefined, 1);
      return `export const m${i}: ${partial ? `Partly<${type}>` : type} = ${literal};`;
    }),
  ].join('\n');
  const host = ts.createCompilerHost(OPTIONS);
  const { getSourceFile, fileExists } = host;
  host.getSourceFile = (name, ...rest) =>
    name === FILE ? ts.createSourceFile(name, source, ts.ScriptTarget.ES2022) : getSourceFile.call(host, name, ...rest);
  host.fileExists = name => name === FILE || fileExists.call(host, name);
  const program = ts.createProgram([FILE], OPTIONS, host);
  return ts.getPreEmitDiagnostics(program, program.getSourceFile(FILE)).map(({ messageText, start, file }) => {
    const line = file?.text.slice(0, start).split('\n').length ?? 0;
    const text = ts.flattenDiagnosticMessageText(messageText, '\n');
    return `${text} (${file?.text.split('\n')[line - 1]?.trim()})`;
  });
}
