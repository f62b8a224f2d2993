/** Dialogs: for the operator's token, and before anything that clients notice. Escape closes each. */
import { element, setText } from './dom.js';

interface Choice {
  readonly value: string;
  readonly label: string;
}

interface Confirmation {
  readonly title: string;
  readonly explanation: string;
  /** On the button that does it. */
  readonly action: string;
  /** Alternatives, the first is chosen; none: there is no choice. */
  readonly choices?: readonly Choice[];
  /** Must be typed before the button works. */
  readonly typed?: string;
  /** Does it, and resolves with what to say then. @throws what the dialog then shows */
  readonly run: (reason: string, choice: string) => Promise<string>;
}

const REASON_MAX = 200;

/** Asks before doing it, with a reason for the log. Resolves with what was said at the end; undefined if it was cancelled. */
export function confirmed(confirmation: Confirmation): Promise<string | undefined> {
  const { title, explanation, action, choices = [], typed, run } = confirmation;
  const reason = element('input', {
    attributes: { type: 'text', maxlength: String(REASON_MAX), name: 'reason', autocomplete: 'off' },
  });
  const word = element('input', {
    attributes: { type: 'text', name: 'word', autocomplete: 'off', spellcheck: 'false' },
  });
  const radios = choices.map(({ value, label }, i) => {
    const radio = element('input', { attributes: { type: 'radio', name: 'choice', value } });
    radio.checked = i === 0;
    return { radio, line: element('label', { class: 'radio' }, radio, document.createTextNode(label)) };
  });
  const button = element('button', { class: 'danger', text: action, attributes: { type: 'submit' } });
  const allow = () => {
    button.disabled = typed !== undefined && word.value.trim() !== typed;
  };
  word.addEventListener('input', allow);
  allow();
  const fields = [
    ...radios.map(({ line }) => line),
    labelled('Reason, for the log', reason),
    ...(typed === undefined ? [] : [labelled(`Type ${typed} to confirm`, word)]),
  ];
  const chosen = () => radios.find(({ radio }) => radio.checked)?.radio.value ?? '';
  return opened({ title, explanation, fields, button, run: () => run(reason.value.trim(), chosen()) });
}

/** Asks for ADMIN_TOKEN. Resolves with it; undefined if the operator has none. */
export function askedForToken(explanation: string): Promise<string | undefined> {
  const token = element('input', {
    attributes: { type: 'password', name: 'token', autocomplete: 'off', required: '' },
  });
  const button = element('button', { class: 'primary', text: 'Use this token', attributes: { type: 'submit' } });
  return opened({
    title: 'Token of the operator',
    explanation,
    fields: [labelled('ADMIN_TOKEN', token)],
    button,
    run: async () => {
      if (token.value.trim() === '') throw new Error('Type the token.');
      return token.value.trim();
    },
  });
}

interface DialogParts {
  readonly title: string;
  readonly explanation: string;
  readonly fields: readonly Node[];
  readonly button: HTMLButtonElement;
  readonly run: () => Promise<string>;
}

function opened({ title, explanation, fields, button, run }: DialogParts): Promise<string | undefined> {
  const cancel = element('button', { text: 'Cancel', attributes: { type: 'button' } });
  const problem = element('p', { class: 'problem', attributes: { role: 'alert' } });
  const heading = element('h2', { text: title, attributes: { id: 'dialog-title' } });
  const buttons = element('div', { class: 'buttons' }, cancel, button);
  const form = element('form', {}, heading, element('p', { text: explanation }), ...fields, problem, buttons);
  const dialog = element('dialog', { attributes: { 'aria-labelledby': 'dialog-title' } }, form);
  document.body.append(dialog);
  return new Promise(resolve => {
    let outcome: string | undefined;
    cancel.addEventListener('click', () => dialog.close());
    dialog.addEventListener('close', () => {
      dialog.remove();
      resolve(outcome);
    });
    form.addEventListener('submit', event => {
      event.preventDefault();
      button.disabled = true;
      run().then(
        said => {
          outcome = said;
          dialog.close();
        },
        (cause: unknown) => {
          button.disabled = false;
          setText(problem, messageOf(cause));
        },
      );
    });
    dialog.showModal();
  });
}

/** What went wrong, for a reader. */
export function messageOf(cause: unknown): string {
  if (cause instanceof DOMException || cause instanceof TypeError) return 'The gateway does not answer.';
  return cause instanceof Error ? cause.message : String(cause);
}

/** A field under its label. */
export function labelled(label: string, field: HTMLElement): HTMLElement {
  return element('label', { class: 'field' }, element('span', { text: label }), field);
}
