import { createHash } from 'node:crypto';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { ArgumentError } from '../../lib/errors.js';
import { cudaArchs, cudaRequest, cudaToolkit } from '../../lib/install/cuda.js';
import {
  type CudaBuild,
  ensureCudaLibtorch,
  findCudaLibtorch,
  nvidiaTarget,
  readCudaLock,
} from '../../lib/install/cuda-libtorch.js';
import { silentReporter } from '../../lib/install/reporter.js';
import type { Probe } from '../../lib/install/toolchain.js';
import { zip } from '../support/zip.js';
import { recordingReporter, sendFile, serve } from './support.js';

const folder = () => mkdtempSync(join(tmpdir(), 'dyconv-cuda-'));

function files(root: string, ...names: string[]): string {
  for (const name of names) {
    mkdirSync(dirname(join(root, name)), { recursive: true });
    writeFileSync(join(root, name), '');
  }
  return root;
}

const HEADERS = ['include/cuda_runtime_api.h', 'include/crt/host_config.h'];
const nvccOf =
  (version: string): Probe =>
  (_command, args) =>
    args[0] === '--version' ? `Cuda compilation tools, release ${version}, V${version}.1` : undefined;

describe('cudaRequest', () => {
  it.each([
    [undefined, 'off'],
    ['', 'off'],
    ['auto', 'auto'],
    ['cu130', 'cu130'],
  ])('%s means %s', (value, expected) => {
    expect(cudaRequest({ DYCONV_CUDA: value })).toBe(expected);
  });

  it.each(['yes', '13.0', 'cu13'])('refuses %s', (value) => {
    expect(() => cudaRequest({ DYCONV_CUDA: value })).toThrow(ArgumentError);
  });
});

describe('cudaArchs', () => {
  it.each([
    [undefined, []],
    ['', []],
    ['90', ['90']],
    ['80, 90;120', ['80', '90', '120']],
  ])('%s means %j', (value, expected) => {
    expect(cudaArchs({ DYCONV_CUDA_ARCH: value })).toEqual(expected);
  });

  it.each(['sm_90', '9.0', '80,', 'all'])('refuses %s', (value) => {
    expect(() => cudaArchs({ DYCONV_CUDA_ARCH: value })).toThrow(ArgumentError);
  });
});

describe('cudaToolkit', () => {
  it('uses the runtime next to libtorch and the nvcc of CUDA_HOME', () => {
    const libtorch = files(folder(), 'lib/libcudart.so.13', ...HEADERS.map((header) => `cuda/${header}`));
    const home = files(folder(), 'bin/nvcc', ...HEADERS);
    const found = cudaToolkit(libtorch, { CUDA_HOME: home }, nvccOf('13.0'));
    expect(found).toEqual({
      include: join(libtorch, 'cuda', 'include'),
      cudart: join(libtorch, 'lib', 'libcudart.so.13'),
      nvcc: join(home, 'bin', 'nvcc'),
      nvccVersion: '13.0',
      problems: [],
    });
  });

  it("finds NVIDIA's wheels next to a libtorch that pip installed", () => {
    const site = files(
      folder(),
      'torch/lib/libtorch_cuda.so',
      'nvidia/cu13/lib/libcudart.so.13',
      'nvidia/cu13/bin/nvcc',
    );
    const wheels = files(join(site, 'nvidia', 'cu13'), ...HEADERS, 'include/cuda_fp16.h');
    const lacking = cudaToolkit(join(site, 'torch'), {}, nvccOf('13.0'));
    expect(lacking).toMatchObject({
      nvcc: undefined,
      include: join(site, 'torch', '..', 'nvidia/cu13/include'),
    });
    expect(lacking.problems.join()).toMatch(
      /nvcc lacks the wheel nvidia-cuda-cccl: dyconv's own CUDA kernels/,
    );
    files(wheels, 'include/cccl/nv/target');
    const found = cudaToolkit(join(site, 'torch'), {}, nvccOf('13.0'));
    expect(found.problems).toEqual([]);
    expect(found.nvcc).toBe(join(site, 'torch', '..', 'nvidia', 'cu13', 'bin', 'nvcc'));
  });

  it('ignores an nvcc of another CUDA version, and reports the consequence', () => {
    const libtorch = files(folder(), 'lib/libcudart.so.13', ...HEADERS.map((header) => `cuda/${header}`));
    const home = files(folder(), 'bin/nvcc');
    const found = cudaToolkit(libtorch, { PATH: join(home, 'bin') }, nvccOf('12.6'));
    expect(found.nvcc).toBeUndefined();
    expect(found.cudart).toBeDefined();
    expect(found.problems).toEqual([
      expect.stringMatching(/nvcc is of CUDA 12\.6: dyconv's own CUDA kernels are left out/),
    ]);
  });

  it('uses no headers of another CUDA version', () => {
    const libtorch = files(folder(), 'lib/libcudart-218eec4c.so.12');
    const home = files(folder(), 'bin/nvcc', ...HEADERS);
    const version = (number: number) =>
      writeFileSync(join(home, HEADERS[0]!), `#define CUDART_VERSION  ${number}\n`);
    version(13000);
    const wrong = cudaToolkit(libtorch, { CUDA_HOME: home }, nvccOf('12.6'));
    expect(wrong).toMatchObject({ include: undefined, nvcc: undefined });
    expect(wrong.problems.join()).toMatch(/headers are missing.*of CUDA 12, or set CUDA_HOME/);
    version(12060);
    expect(cudaToolkit(libtorch, { CUDA_HOME: home }, nvccOf('12.6'))).toMatchObject({
      include: join(home, 'include'),
      cudart: join(libtorch, 'lib', 'libcudart-218eec4c.so.12'),
      problems: [],
    });
  });

  it('uses the runtime of the toolkit for a libtorch that is linked with it', () => {
    const libtorch = files(folder(), 'lib/libtorch_cuda.so');
    const home = files(folder(), 'bin/nvcc', 'lib64/libcudart.so.12', 'lib64/libcudart.so.13', ...HEADERS);
    const found = () => cudaToolkit(libtorch, { CUDA_HOME: home }, nvccOf('13.0')).cudart;
    expect(found()).toBeUndefined();
    writeFileSync(join(libtorch, 'lib', 'libc10_cuda.so'), 'ELF\0libcudart.so.13\0libc10.so\0');
    expect(found()).toBe(join(home, 'lib64', 'libcudart.so.13'));
    writeFileSync(join(libtorch, 'lib', 'libc10_cuda.so'), 'ELF\0libcudart.so.11.0\0libc10.so\0');
    expect(found()).toBeUndefined();
  });

  it('reports what is missing', () => {
    const found = cudaToolkit(files(folder(), 'lib/libtorch_cuda.so'), {}, () => undefined);
    expect(found).toMatchObject({ cudart: undefined, nvcc: undefined });
    expect(found.problems.join('\n')).toMatch(/nvcc is not found[\s\S]*libcudart is missing/);
  });
});

describe('nvidiaTarget', () => {
  it.each([
    ['nvidia/cu13/lib/libcublas.so.13', 'lib/libcublas.so.13'],
    ['nvidia/cudnn/lib/libcudnn.so.9', 'lib/libcudnn.so.9'],
    ['nvidia/cu13/include/crt/host_config.h', 'cuda/include/crt/host_config.h'],
    ['nvidia_cublas-13.dist-info/licenses/License.txt', 'licenses/nvidia_cublas-13/License.txt'],
    ['nvidia/cu13/lib/libcudart_static.a', undefined],
    ['nvidia/__init__.py', undefined],
  ])('%s goes to %s', (name, expected) => {
    expect(nvidiaTarget(name)).toBe(expected);
  });
});

/** Two small wheels, and a `python3` that delivers them as pip does. */
function pinned(change: (wheel: CudaBuild['wheels'][number]) => void = () => {}) {
  const shop = folder();
  const version =
    '#define TORCH_VERSION_MAJOR 2\n#define TORCH_VERSION_MINOR 14\n#define TORCH_VERSION_PATCH 1\n';
  const wheel = (requirement: string, content: Record<string, string>) => {
    const file = `${requirement.replace('==', '-')}-any.whl`;
    const bytes = zip(Object.entries(content).map(([name, text]) => ({ name, content: text })));
    writeFileSync(join(shop, file), bytes);
    const sha256 = createHash('sha256').update(bytes).digest('hex');
    const made = { requirement, file, size: bytes.length, sha256 };
    change(made);
    return made;
  };
  const build: CudaBuild = {
    version: '2.14.1',
    target: 'linux-x64',
    pythonVersion: '3.11',
    libraries: ['libtorch_cpu.so', 'libtorch_cuda.so'],
    wheels: [
      wheel('torch==2.14.1', {
        'torch/lib/libtorch_cpu.so': 'cpu',
        'torch/lib/libtorch_cuda.so': 'cuda',
        'torch/include/ATen/ATen.h': '//',
        'torch/include/torch/headeronly/version.h': version,
      }),
      wheel('nvidia-cuda_runtime==13.0', {
        'nvidia/cu13/lib/libcudart.so.13': 'cudart',
        'nvidia/cu13/include/cuda_runtime_api.h': '//',
      }),
    ],
  };
  const bin = folder();
  const script = `#!/bin/sh\nfor last; do :; done\nwhile [ "$1" != --dest ]; do requirement="$1"; shift; done\ncp "${shop}/$(echo "$requirement" | sed s/==/-/)"*.whl "$2"\n`;
  writeFileSync(join(bin, 'python3'), script);
  chmodSync(join(bin, 'python3'), 0o755);
  const env = { PATH: [bin, process.env.PATH].join(delimiter) };
  const cacheDir = folder();
  return { builds: { cu130: build }, env, cacheDir, target: 'linux-x64', reporter: silentReporter };
}

describe('ensureCudaLibtorch', () => {
  it('downloads nothing if CUDA is not requested, or without a driver', async () => {
    const hasDriver = () => false;
    await expect(ensureCudaLibtorch('off', pinned())).resolves.toBeUndefined();
    await expect(ensureCudaLibtorch('auto', { ...pinned(), hasDriver })).resolves.toBeUndefined();
  });

  it('installs libtorch and its dependencies into one folder, once', async () => {
    const options = pinned();
    const found = await ensureCudaLibtorch('cu130', options);
    expect(found).toMatchObject({ version: '2.14.1', flavour: 'cuda', source: 'pip' });
    expect(readdirSync(join(found!.dir, 'lib')).sort()).toEqual([
      'libcudart.so.13',
      'libtorch_cpu.so',
      'libtorch_cuda.so',
    ]);
    expect(existsSync(join(found!.dir, 'cuda', 'include', 'cuda_runtime_api.h'))).toBe(true);
    await expect(ensureCudaLibtorch('cu130', options)).resolves.toMatchObject({ source: 'cache' });
  });

  it('rejects a wheel with another checksum and leaves no files', async () => {
    const options = pinned((wheel) => {
      if (wheel.requirement.startsWith('nvidia')) wheel.sha256 = '0'.repeat(64);
    });
    await expect(ensureCudaLibtorch('cu130', options)).rejects.toThrow(/Expected sha256 0{64}/);
    expect(readdirSync(options.cacheDir).filter((name) => name.startsWith('libtorch'))).toEqual([]);
  });

  it('becomes an installation for CPUs under auto when it cannot be had', async () => {
    const options = { ...pinned(), env: { PATH: folder() }, hasDriver: () => true };
    await expect(ensureCudaLibtorch('auto', options)).resolves.toBeUndefined();
    await expect(ensureCudaLibtorch('cu130', options)).rejects.toThrow(
      /pip cannot get torch==2\.14\.1.*DYCONV_CUDA=off/,
    );
  });

  it('downloads nothing if DYCONV_OFFLINE is set', async () => {
    const options = pinned();
    const offline = { ...options, env: { ...options.env, DYCONV_OFFLINE: '1' } };
    await expect(ensureCudaLibtorch('cu130', offline)).rejects.toThrow(/DYCONV_OFFLINE is set/);
    expect(readdirSync(options.cacheDir)).toEqual([]);
    await ensureCudaLibtorch('cu130', options);
    await expect(ensureCudaLibtorch('cu130', offline)).resolves.toMatchObject({ source: 'cache' });
  });

  it('is fetched once by those who want it at the same time', async () => {
    const options = pinned();
    const lines: string[] = [];
    const reporter = { ...silentReporter, line: (text: string) => void lines.push(text) };
    const all = [1, 2, 3].map(() => ensureCudaLibtorch('cu130', { ...options, reporter }));
    expect((await Promise.all(all)).map((found) => found?.source).sort()).toEqual(['cache', 'cache', 'pip']);
    expect(lines.filter((line) => line.startsWith('1 of 2'))).toHaveLength(1);
    expect(lines.filter((line) => line.startsWith('Waiting for'))).toHaveLength(2);
    expect(readdirSync(options.cacheDir).sort()).toEqual(['downloads', 'libtorch-2.14.1-cu130']);
  });

  it('is found again without a download, by version or if there is a driver', async () => {
    const options = pinned();
    const find = (request: 'auto' | 'cu130' | 'off', driver = true) =>
      findCudaLibtorch(request, { ...options, hasDriver: () => driver });
    expect(find('cu130')).toBeUndefined();
    const { dir } = (await ensureCudaLibtorch('cu130', options))!;
    expect(find('cu130', false)).toMatchObject({ dir, flavour: 'cuda', source: 'cache' });
    expect(find('auto')).toMatchObject({ dir });
    expect([find('auto', false), find('off')]).toEqual([undefined, undefined]);
  });

  it('has none for other platforms', async () => {
    for (const name of ['cu118', 'cu130'] as const) {
      const arm = ensureCudaLibtorch(name, { ...pinned(), target: 'linux-arm64' });
      await expect(arm).rejects.toThrow(
        /No libtorch for cu1\d\d is known on linux-arm64, only on linux-x64\. .* LIBTORCH .* DYCONV_CUDA=off/,
      );
    }
  });

  it('contains a lock file with complete checksums', () => {
    for (const { wheels, libraries } of Object.values(readCudaLock())) {
      expect(libraries).toContain('libtorch_cuda.so');
      for (const { sha256, requirement } of wheels) {
        expect(sha256).toMatch(/^[0-9a-f]{64}$/);
        expect(requirement).toMatch(/^[\w-]+==[\d.]+$/);
      }
    }
  });
});

describe('a CUDA version that is not pinned', () => {
  const archive = (version = '2.14.1') =>
    zip([
      ...['libtorch', 'libtorch_cpu', 'libtorch_cuda', 'libc10', 'libc10_cuda', 'libtorch_python'].map(
        (name) => ({ name: `libtorch/lib/${name}.so`, content: name }),
      ),
      { name: 'libtorch/lib/libcudart-218eec4c.so.12', content: 'cudart' },
      { name: 'libtorch/include/ATen/ATen.h', content: '//' },
      { name: 'libtorch/build-version', content: `${version}+cu128\n` },
    ]);

  /** A mirror that has the archive of one release. */
  async function mirror(content: Buffer, has = '2.14.1') {
    const { base, requests } = await serve((request, response) => {
      if (request.url?.includes(`-${has}%2Bcu128`)) sendFile(content)(request, response);
      else response.writeHead(404).end();
    });
    const reporter = recordingReporter();
    const { builds } = pinned();
    const options = { builds, cacheDir: folder(), target: 'linux-x64', reporter };
    const get = (env: NodeJS.ProcessEnv = {}) =>
      ensureCudaLibtorch('cu128', { ...options, env: { DYCONV_LIBTORCH_URL: base, ...env } });
    return { get, options, requests, reporter };
  }

  it('is downloaded as the official archive, and its checksum is printed once', async () => {
    const content = archive();
    const { get, options, requests, reporter } = await mirror(content);
    expect(findCudaLibtorch('cu128', options)).toBeUndefined();
    const found = await get();
    const dir = join(options.cacheDir, 'libtorch-2.14.1-cu128');
    expect(found).toEqual({ dir, version: '2.14.1', flavour: 'cuda', source: 'zip' });
    expect(requests).toEqual(['/cu128/libtorch-shared-with-deps-2.14.1%2Bcu128.zip']);
    const sha256 = createHash('sha256').update(content).digest('hex');
    expect(reporter.lines.join('\n')).toContain(`No checksum is pinned for it; DYCONV_CUDA_SHA256=${sha256}`);
    expect(readdirSync(join(dir, 'lib'))).not.toContain('libtorch_python.so');
    expect(readdirSync(join(options.cacheDir, 'downloads'))).toEqual([]);
    // The runtime has a different name there.
    expect(cudaToolkit(dir, {}, () => undefined).problems.join()).toMatch(/nvidia-cuda-cccl of CUDA 12 /);
    await expect(get({ DYCONV_OFFLINE: '1' })).resolves.toMatchObject({ dir, source: 'cache' });
    expect(findCudaLibtorch('cu128', options)).toMatchObject({ dir, source: 'cache' });
    expect(requests).toHaveLength(1);
  });

  it('comes from an older release if the newest has none', async () => {
    const { get, requests } = await mirror(archive('2.13.0'), '2.13.0');
    await expect(get()).resolves.toMatchObject({ version: '2.13.0', source: 'zip' });
    expect(requests).toHaveLength(2);
  });

  it('is compared with the given checksum', async () => {
    const content = archive();
    const { get, options } = await mirror(content);
    await expect(get({ DYCONV_CUDA_SHA256: 'beef' })).rejects.toThrow(/64 hexadecimal digits/);
    const wrong = get({ DYCONV_CUDA_SHA256: '0'.repeat(64) });
    await expect(wrong).rejects.toThrow(/expected sha256 0{64} but received [0-9a-f]{64}/);
    expect(readdirSync(options.cacheDir).filter((name) => name.startsWith('libtorch'))).toEqual([]);
    const right = createHash('sha256').update(content).digest('hex');
    await expect(get({ DYCONV_CUDA_SHA256: right.toUpperCase() })).resolves.toMatchObject({ source: 'zip' });
  });

  it('is not downloaded over an insecure connection', async () => {
    const { get, requests } = await mirror(archive());
    const url = 'http://mirror.example';
    await expect(get({ DYCONV_LIBTORCH_URL: url })).rejects.toThrow(/https URL.*DYCONV_CUDA_SHA256/);
    expect(requests).toEqual([]);
  });

  it('that does not exist, a wrong file, and a missing network are different errors', async () => {
    const nowhere = await mirror(archive(), 'nothing');
    await expect(nowhere.get()).rejects.toThrow(
      /No libtorch for cu128 is published:\n.*2\.14\.1%2Bcu128.*status 404\n.*2\.13\.0%2Bcu128.*\n.*LIBTORCH/,
    );
    expect(nowhere.requests).toHaveLength(2);
    const other = await mirror(archive('2.12.0'));
    await expect(other.get()).rejects.toThrow(
      /Expected libtorch 2\.14\.1 in .* but received 2\.12\.0\. DYCONV_CUDA=off/,
    );
    await expect(other.get({ DYCONV_OFFLINE: '1' })).rejects.toThrow(/DYCONV_OFFLINE is set/);
    expect(other.requests).toHaveLength(1);
  });
});
