"""Files as NumPy writes them, for test/npy.test.ts and test/npz.test.ts: python3 test/golden/make_numpy.py"""

import pathlib

import numpy as np

here = pathlib.Path(__file__).parent / "numpy"
here.mkdir(exist_ok=True)
values = np.arange(6).reshape(2, 3)
for dtype in ["f4", "f8", "f2", "i8", "i4", "i2", "i1", "u1"]:
    np.save(here / f"{dtype}.npy", values.astype(dtype))
np.save(here / "bool.npy", values % 2 == 1)
np.save(here / "scalar.npy", np.float32(3.5))
np.save(here / "empty.npy", np.zeros((0, 3), "f4"))
np.save(here / "fortran.npy", np.asfortranarray(np.arange(24).reshape(2, 3, 4).astype("f4")))
np.save(here / "big-endian.npy", values.astype(">i4"))
np.save(here / "complex.npy", values.astype("c8"))
with open(here / "version2.npy", "wb") as file:
    np.lib.format.write_array(file, values.astype("f4"), version=(2, 0))
np.savez(here / "stored.npz", images=values.astype("f4"), labels=np.array([1, 2], "i8"))
np.savez_compressed(here / "deflated.npz", images=values.astype("f4"), labels=np.array([1, 2], "i8"))
