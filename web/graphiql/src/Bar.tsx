// The bar above the editor: whose console this is, who is signed in, and the credential in use.

import { type FormEvent, useEffect, useId, useRef, useState } from 'react';
import { describeViewer, logIn } from './account';

type Props = { token: string; onToken(token: string): void };

export function Bar({ token, onToken }: Props) {
  return (
    <header className="bar">
      <h1>Colloquy</h1>
      <Status token={token} />
      <TokenField key={token} token={token} onToken={onToken} />
      {token ? (
        <button type="button" onClick={() => onToken('')} data-testid="forget">
          Forget token
        </button>
      ) : (
        <SignIn onToken={onToken} />
      )}
    </header>
  );
}

function Status({ token }: { token: string }) {
  const [text, setText] = useState('');
  useEffect(() => {
    let current = true;
    setText('');
    void describeViewer(token).then((description) => {
      if (current) setText(description);
    });
    return () => {
      current = false;
    };
  }, [token]);
  return (
    <p className="status" role="status" data-testid="status">
      {text}
    </p>
  );
}

// A token takes effect when it is whole: on Enter or when the field is left, not with every key.
function TokenField({ token, onToken }: Props) {
  const id = useId();
  const [draft, setDraft] = useState(token);
  const [shown, setShown] = useState(false);
  const commit = () => {
    if (draft.trim() !== token) onToken(draft.trim());
  };
  return (
    <form
      className="token"
      onSubmit={(event) => {
        event.preventDefault();
        commit();
      }}
    >
      <label htmlFor={id}>Access token or API key</label>
      <input
        id={id}
        data-testid="token"
        type={shown ? 'text' : 'password'}
        value={draft}
        onChange={(event) => setDraft(event.target.value)}
        onBlur={commit}
        autoComplete="off"
        autoCapitalize="off"
        spellCheck={false}
      />
      <button type="button" aria-pressed={shown} onClick={() => setShown(!shown)}>
        {shown ? 'Hide' : 'Show'}
      </button>
    </form>
  );
}

function SignIn({ onToken }: { onToken(token: string): void }) {
  const [problem, setProblem] = useState('');
  const [busy, setBusy] = useState(false);
  const panel = useRef<HTMLDetailsElement>(null);

  async function submit(event: FormEvent<HTMLFormElement>) {
    event.preventDefault();
    const fields = new FormData(event.currentTarget);
    setBusy(true);
    setProblem('');
    try {
      onToken(await logIn(String(fields.get('email')), String(fields.get('password'))));
    } catch (error) {
      setProblem(error instanceof Error ? error.message : String(error));
    } finally {
      setBusy(false);
    }
  }

  return (
    <details
      className="sign-in"
      ref={panel}
      onKeyDown={(event) => {
        if (event.key === 'Escape' && panel.current) panel.current.open = false;
      }}
    >
      <summary data-testid="sign-in">Sign in</summary>
      <form onSubmit={(event) => void submit(event)}>
        <label>
          E-mail
          <input name="email" type="email" autoComplete="username" required />
        </label>
        <label>
          Password
          <input name="password" type="password" autoComplete="current-password" required />
        </label>
        <button type="submit" disabled={busy}>
          Sign in
        </button>
        <p role="alert">{problem}</p>
      </form>
    </details>
  );
}
