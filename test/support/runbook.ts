/** ops/runbook.md in parts: its sections, and the blocks to paste. */
import { readFileSync } from 'node:fs';

export interface RunbookBlock {
  /** What stands behind the fence: `sh` only reads, `bash` changes something, `sh <name>` is of the preparations. */
  readonly info: string;
  readonly text: string;
  /** The heading that it stands under. */
  readonly section: string;
  /** The last words in bold before it, such as `Verify`; empty if there are none in its section. */
  readonly step: string;
  readonly line: number;
}

interface RunbookSection {
  readonly title: string;
  readonly text: string;
}

const TEXT = readFileSync(new URL('../../ops/runbook.md', import.meta.url), 'utf8');

/** Under headings of any level; none is within another. */
export function runbookSections(): readonly RunbookSection[] {
  return TEXT.split(/^#+ (?=.+$)/m)
    .slice(1)
    .map(part => ({ title: part.slice(0, part.indexOf('\n')), text: part.slice(part.indexOf('\n') + 1) }));
}

export function runbookBlocks(): readonly RunbookBlock[] {
  const blocks: RunbookBlock[] = [];
  let section = '';
  let step = '';
  let open: { readonly info: string; readonly line: number; readonly lines: string[] } | undefined;
  for (const [n, line] of TEXT.split('\n').entries()) {
    if (open !== undefined) {
      if (line !== '```') {
        open.lines.push(line);
        continue;
      }
      blocks.push({ info: open.info, text: open.lines.join('\n'), section, step, line: open.line });
      open = undefined;
    } else if (line.startsWith('```')) {
      open = { info: line.slice(3), line: n + 1, lines: [] };
    } else if (/^#+ /.test(line)) {
      section = line.replace(/^#+ /, '');
      step = '';
    } else {
      step = /^\*\*(.+?)\.?\*\*/.exec(line)?.[1] ?? step;
    }
  }
  if (open !== undefined) throw new Error(`the block of line ${open.line} of the runbook has no end`);
  return blocks;
}

/** The anchor that GitHub and others give a heading. */
export function anchorOf(title: string): string {
  return title
    .toLowerCase()
    .replace(/[^\p{L}\p{N} _-]/gu, '')
    .replaceAll(' ', '-');
}
