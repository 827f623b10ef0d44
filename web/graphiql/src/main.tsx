// The console: GraphiQL below a bar with the credential.

import { GraphiQL } from 'graphiql';
import 'graphiql/style.css';
import { useEffect, useMemo, useState } from 'react';
import { createRoot } from 'react-dom/client';
import { Bar } from './Bar';
import './console.css';
import { initialToken, storeToken, takeFromAddress } from './token';
import { fetcherFor } from './transport';
import welcome from './welcome.graphql';

function Console() {
  const [token, setToken] = useState(initialToken);
  useEffect(() => storeToken(token), [token]);
  useEffect(() => {
    const onHashChange = () => setToken((current) => takeFromAddress() ?? current);
    addEventListener('hashchange', onHashChange);
    return () => removeEventListener('hashchange', onHashChange);
  }, []);
  // A new fetcher makes GraphiQL read the schema again, which may need the token.
  const fetcher = useMemo(() => fetcherFor(token), [token]);
  return (
    <>
      <Bar token={token} onToken={setToken} />
      {/* Queries may hold a conversation's text, headers a secret: what the editor keeps ends with the tab. */}
      <GraphiQL
        fetcher={fetcher}
        storage={sessionStorage}
        shouldPersistHeaders={false}
        defaultQuery={welcome}
        inputValueDeprecation
        schemaDescription
      >
        <GraphiQL.Logo>{null}</GraphiQL.Logo>
      </GraphiQL>
    </>
  );
}

const root = document.getElementById('console');
if (root) createRoot(root).render(<Console />);
