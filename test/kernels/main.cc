// Runs the CUDA kernels on the host and prints a line of JSON for every check.
#include "support.h"

int main() {
  check::CheckRouting();
  check::CheckMix();
  check::CheckDynamicConv();
  check::CheckAugment();
  check::CheckBroken();
}
