// The tables of operations, one per family. Adding an operation is adding a line to one of them.
#pragma once

#include "napi/bind.h"

namespace dyconv {

const OpTable& TensorOps();       // tensor.cc: creation, properties, data in and out, autograd
const OpTable& ShapeOps();        // shape.cc: views, joining, indexing
const OpTable& MathOps();         // math.cc: element-wise, comparisons, reductions, linear algebra
const OpTable& PointwiseOps();    // pointwise.cc: more element-wise operations, in-place forms
const OpTable& ReduceOps();       // reduce.cc: more reductions, cumulative operations, ordering
const OpTable& LinalgOps();       // linalg.cc: products, decompositions, solvers, diagonals
const OpTable& IndexOps();        // index.cc: gather and scatter, masks, rarer views
const OpTable& RandomOps();       // random.cc: draws from the generator
const OpTable& JoinOps();         // join.cc: joining, splitting and broadcasting several tensors
const OpTable& StatisticsOps();   // statistics.cc: spread, covariance, histograms, quantiles, integrals
const OpTable& ArithmeticOps();   // arithmetic.cc: rarer arithmetic, special functions, products, norms
const OpTable& ScatterOps();      // scatter.cc: reductions by index, slices put back, strided views
const OpTable& PoolOps();         // pool.cc: max pooling with indices, its inverse
const OpTable& NnOps();           // nn.cc: convolution, pooling, normalisation, activations, losses
const OpTable& ConvOps();         // conv.cc: 1-D, 3-D and transposed convolution, pooling, resizing
const OpTable& ActivationOps();   // activation.cc: more activations, normalisations, attention
const OpTable& LossOps();         // loss.cc: more losses
const OpTable& AutogradOps();     // autograd.cc: functions and hooks written in JavaScript, anomaly mode
const OpTable& DynamicConvOps();  // dynamic_conv.cc: dynamic convolution and its routing
const OpTable& OptimOps();        // optim.cc: whole optimizer steps over lists of parameters
const OpTable& OptimMoreOps();    // optim_more.cc: steps of the rarer optimizers
const OpTable& DataOps();         // data.cc: augmented batches, made in the background
const OpTable& ExchangeOps();     // exchange.cc: memory shared with JavaScript, threads and files
const OpTable& CudaOps();         // cuda.cc: GPUs, their memory, graphs, augmentation there
const OpTable& AmpOps();          // amp.cc: autocast, gradient scaling
const OpTable& RuntimeOps();      // runtime.cc: modes, scopes, threads, generators, versions

std::vector<const OpTable*> AllTables();

}  // namespace dyconv
