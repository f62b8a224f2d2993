/** Loaded by `node --import` in every thread: fails the import of any module of OpenTelemetry. */
import { register } from 'node:module';

const hooks = `export function resolve(specifier, context, next) {
  if (specifier.startsWith('@opentelemetry/')) throw new Error(specifier + ' is not to be loaded');
  return next(specifier, context);
}`;
register(`data:text/javascript,${encodeURIComponent(hooks)}`);
