/** JSON Patch (RFC 6902) from the wire onto a document that the client holds. */
import { applyPatch, type Operation } from 'rfc6902';

/**
 * Applies the operations in place. Returns why one of them could not be applied (the document is then neither the old
 * nor the new one), undefined when all were.
 */
export function applyOperations(document: object, operations: readonly unknown[]): string | undefined {
  try {
    const failures = applyPatch(document, operations as Operation[]);
    const at = failures.findIndex(failure => failure !== null);
    return at < 0 ? undefined : `operation ${at}: ${failures[at]?.message ?? ''}`;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}
