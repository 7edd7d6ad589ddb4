/** Proxies: plain and tunnelled, and hosts that bypass them. */
import { readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { beforeAll, describe, expect, it } from 'vitest';
import * as support from './support.js';

const { child, goodWheel, isolated, sendFile, serve } = support;

const certificate = new URL('certificate/cert.pem', import.meta.url);
const tls = {
  cert: readFileSync(certificate),
  key: readFileSync(new URL('certificate/key.pem', import.meta.url)),
};
/** A name in the certificate that no name server knows: only the proxy can resolve it. */
const HOST = 'files.example';

/** A proxy that tunnels every request to one port of this machine. */
async function startProxy(port: string, status = '200 OK') {
  const tunnels: string[] = [];
  const { base, requests, server } = await serve((_request, response) => void response.writeHead(501).end());
  server.on('connect', (request, socket) => {
    tunnels.push(request.url!);
    if (!status.startsWith('200')) return void socket.end(`HTTP/1.1 ${status}\r\n\r\n`);
    const upstream = connect(Number(port), '127.0.0.1', () => {
      socket.write(`HTTP/1.1 ${status}\r\n\r\n`);
      upstream.pipe(socket).pipe(upstream);
    });
    for (const end of [upstream, socket]) end.on('error', () => {});
  });
  return { proxy: base, tunnels, requests };
}

/** Both spellings, so that no setting of this machine reaches the child process. */
function variables(set: { HTTP_PROXY?: string; HTTPS_PROXY?: string; NO_PROXY?: string }): NodeJS.ProcessEnv {
  const all = { HTTP_PROXY: '', HTTPS_PROXY: '', NO_PROXY: '', ALL_PROXY: '', ...set };
  return Object.fromEntries(
    Object.entries(all).flatMap(([name, value]) => [
      [name, value],
      [name.toLowerCase(), value],
    ]),
  );
}

const trusted = { NODE_EXTRA_CA_CERTS: certificate.pathname, SSL_CERT_FILE: '', NODE_USE_SYSTEM_CA: '' };
/** Without the fallback to pip, which may have its own access to the network. */
const noPip = () => ({ env: { PATH: support.temporaryFolder() } });
let wheel: Buffer;
beforeAll(() => {
  wheel = goodWheel();
});

describe('HTTPS_PROXY', () => {
  it('tunnels to an https address by CONNECT, encrypted from end to end', async () => {
    const { base, requests: served } = await serve(sendFile(wheel), tls);
    const port = new URL(base).port;
    const { proxy, tunnels, requests } = await startProxy(port);
    const { options } = isolated(wheel, `https://${HOST}:${port}`);
    const env = { ...trusted, ...variables({ HTTPS_PROXY: proxy, HTTP_PROXY: 'http://127.0.0.1:9' }) };
    const { output } = await child(options, { env });
    expect(output).toContain('"source":"download"');
    expect(tunnels).toEqual([`${HOST}:${port}`]);
    expect(served).toHaveLength(1);
    expect(requests).toEqual([]); // the proxy was only asked for tunnels
  });

  it('does not make a certificate trusted that is not', async () => {
    const { base, requests: served } = await serve(sendFile(wheel), tls);
    const port = new URL(base).port;
    const { proxy, tunnels } = await startProxy(port);
    const { options } = isolated(wheel, `https://${HOST}:${port}`, noPip());
    const env = { ...trusted, NODE_EXTRA_CA_CERTS: '', ...variables({ HTTPS_PROXY: proxy }) };
    const { code, output } = await child(options, { env });
    expect(code).toBe(1);
    expect(output).toMatch(/self-signed certificate/);
    expect(tunnels.length).toBeGreaterThan(0);
    expect(served).toEqual([]);
  });

  it('that refuses is named by its answer', async () => {
    const { proxy } = await startProxy('9', '407 Proxy Authentication Required');
    const { options } = isolated(wheel, `https://${HOST}`, noPip());
    const env = { ...trusted, ...variables({ HTTPS_PROXY: proxy }) };
    const { code, output } = await child(options, { env });
    expect(code).toBe(1);
    expect(output).toMatch(/407/);
  });

  it.each([
    ['the host', '127.0.0.1'],
    ['everything', '*'],
    ['one of several', 'intranet.example, 127.0.0.1'],
  ])('is left aside where NO_PROXY names %s', async (_what, NO_PROXY) => {
    const { base, requests: served } = await serve(sendFile(wheel), tls);
    const { proxy, tunnels, requests } = await startProxy(new URL(base).port);
    const { options } = isolated(wheel, base);
    const env = { ...trusted, ...variables({ HTTPS_PROXY: proxy, NO_PROXY }) };
    const { output } = await child(options, { env });
    expect(output).toContain('"source":"download"');
    expect([...tunnels, ...requests]).toEqual([]);
    expect(served).toHaveLength(1);
  });

  it('is used if NO_PROXY names other hosts', async () => {
    const { base } = await serve(sendFile(wheel), tls);
    const port = new URL(base).port;
    const { proxy, tunnels } = await startProxy(port);
    const { options } = isolated(wheel, `https://${HOST}:${port}`);
    const env = { ...trusted, ...variables({ HTTPS_PROXY: proxy, NO_PROXY: 'example.org,127.0.0.1' }) };
    expect((await child(options, { env })).output).toContain('"source":"download"');
    expect(tunnels).toHaveLength(1);
  });
});

describe('HTTP_PROXY', () => {
  it('leads to an http address, unless NO_PROXY names the host', async () => {
    const { base, requests: served } = await serve(sendFile(wheel));
    const port = new URL(base).port;
    const { proxy, tunnels } = await startProxy(port);
    const through = isolated(wheel, `http://${HOST}:${port}`);
    const env = variables({ HTTP_PROXY: proxy });
    expect((await child(through.options, { env })).output).toContain('"source":"download"');
    expect(tunnels).toEqual([`${HOST}:${port}`]);
    const past = isolated(wheel, base);
    const others = variables({ HTTP_PROXY: proxy, NO_PROXY: '127.0.0.1' });
    expect((await child(past.options, { env: others })).output).toContain('"source":"download"');
    expect(tunnels).toHaveLength(1);
    expect(served).toHaveLength(2);
  });
});
