// Normalization, clamp and grid in one pass equal the three passes.
#include <catch2/catch.hpp>

#include <cmath>
#include <optional>

#include <bitgrad/core/error.hpp>
#include <bitgrad/core/kernels/batch_norm.hpp>
#include <bitgrad/core/kernels/elementwise.hpp>
#include <bitgrad/core/kernels/epilogue.hpp>

#include "kernels_support.hpp"

using namespace bitgrad;
using namespace bitgrad::test;
using kernels::Clamp;
using kernels::StraightThrough;

namespace {

std::size_t at(Index i) { return static_cast<std::size_t>(i); }

struct Case {
  Index rows, channels;
  bool normalize;
  Clamp clamp;
  bool on_grid, offset, zero_point;
  StraightThrough mode;
};

std::vector<Case> cases() {
  std::vector<Case> result;
  for (const auto& [rows, channels] :
       {std::pair<Index, Index>{2, 1}, {7, 3}, {5, 300}, {1, 40000}, {3001, 16}, {1500, 48}})
    for (const bool normalize : {false, true})
      for (const Clamp clamp : {Clamp::none, Clamp::relu, Clamp::relu6}) {
        if (rows == 1 && normalize) continue;
        if (normalize)
          result.push_back({rows, channels, normalize, clamp, false, false, false, StraightThrough::masked});
        for (const StraightThrough mode :
             {StraightThrough::masked, StraightThrough::value_masked, StraightThrough::unmasked})
          for (const auto& [offset, zero_point] : {std::pair{false, false}, {true, false}, {false, true}})
            result.push_back({rows, channels, normalize, clamp, true, offset, zero_point, mode});
      }
  return result;
}

/// A case with its numbers: some far out of bounds, on ties, zero, infinite.
struct Problem {
  explicit Problem(const Case& of) : c(of) {
    const Index n = c.rows * c.channels;
    x = reals(n, 1, 3.0f), dy = reals(n, 4), gamma = reals(c.channels, 2), beta = reals(c.channels, 3);
    for (Index i = 0; i < n; i += 11) x[at(i)] = std::round(x[at(i)] * 4) / 8;
    if (!c.normalize)
      for (Index i = 0; i + 2 < n; i += 1013) x[at(i)] = INFINITY, x[at(i + 1)] = -INFINITY, x[at(i + 2)] = -0.0f;
    for (Index i = 0; i < n; i += 17) dy[at(i)] = -0.0f;
    mean.resize(at(c.channels)), variance.resize(at(c.channels));
    kernels::batch_norm_statistics(c.rows, c.channels, x.data(), mean.data(), variance.data());
    normalization = {mean.data(), variance.data(), 1e-3f, gamma.data(), beta.data()};
    grid = {.scale = &scale,
            .offset = c.offset ? &offset : nullptr,
            .lo = 0,
            .hi = 15,
            .zero_point = c.zero_point ? &zero_point : nullptr};
  }
  kernels::EpilogueSteps steps() const {
    return {c.rows, c.channels, c.normalize ? &normalization : nullptr, c.clamp, c.on_grid ? &grid : nullptr, c.mode};
  }

  Case c;
  std::vector<float> x, dy, gamma, beta, mean, variance;
  float scale = 0.125f, offset = -0.3f, zero_point = 5;
  kernels::EpilogueNormalization normalization;
  kernels::LevelGrid<float> grid;
};

struct Result {
  std::vector<float> y, dx, dgamma, dbeta;
  std::vector<double> scale, offset;
};

Result one_pass(const Problem& p, kernels::Store store = kernels::Store::overwrite) {
  Result r{std::vector<float>(p.x.size()),
           std::vector<float>(p.x.size(), store == kernels::Store::add ? 2.0f : NAN),
           std::vector<float>(p.gamma.size(), 1.0f),
           std::vector<float>(p.gamma.size(), 1.0f),
           {},
           {}};
  kernels::epilogue(p.steps(), p.x.data(), r.y.data());
  const auto sums = kernels::epilogue_gradient(p.steps(), p.x.data(), p.dy.data(),
                                               {r.dx.data(), store, r.dgamma.data(), r.dbeta.data()});
  r.scale = sums.scale, r.offset = sums.offset;
  return r;
}

void clamp_forward(Clamp clamp, const std::vector<float>& x, std::vector<float>& y) {
  const Index n = static_cast<Index>(x.size());
  if (clamp == Clamp::none) y = x;
  if (clamp == Clamp::relu) kernels::relu(n, x.data(), y.data());
  if (clamp == Clamp::relu6) kernels::clip(n, 0.0f, 6.0f, x.data(), y.data());
}

Result three_passes(const Problem& p, kernels::Store store = kernels::Store::overwrite) {
  const auto& c = p.c;
  const Index n = c.rows * c.channels;
  std::vector<float> v(p.x), w(p.x.size()), y, g(p.dy), dv(p.x.size());
  if (c.normalize)
    kernels::batch_norm_forward(c.rows, c.channels, p.x.data(), p.mean.data(), p.variance.data(), 1e-3f, p.gamma.data(),
                                p.beta.data(), v.data());
  clamp_forward(c.clamp, v, w);
  y = w;
  const kernels::ChannelLayout layout = kernels::per_tensor(n);
  if (c.on_grid) kernels::fake_quantize(layout, w.data(), p.grid, y.data());
  Result r{y,
           std::vector<float>(p.x.size(), store == kernels::Store::add ? 2.0f : NAN),
           std::vector<float>(p.gamma.size(), 1.0f),
           std::vector<float>(p.gamma.size(), 1.0f),
           {},
           {}};
  if (c.on_grid) {
    const auto sums = kernels::fake_quantize_gradient(layout, w.data(), p.grid, c.mode, p.dy.data(),
                                                      kernels::Store::overwrite, g.data());
    r.scale = sums.scale, r.offset = sums.offset;
  }
  dv = g;
  if (c.clamp == Clamp::relu) kernels::relu_gradient(n, v.data(), g.data(), kernels::Store::overwrite, dv.data());
  if (c.clamp == Clamp::relu6) kernels::relu6_gradient(n, v.data(), g.data(), kernels::Store::overwrite, dv.data());
  if (c.normalize)
    kernels::batch_norm_gradient<float>(c.rows, c.channels, p.x.data(), p.mean.data(), p.variance.data(), 1e-3f,
                                        p.gamma.data(), dv.data(),
                                        {r.dx.data(), r.dgamma.data(), r.dbeta.data(), store});
  else if (store == kernels::Store::overwrite)
    r.dx = dv;
  else
    kernels::add(n, r.dx.data(), dv.data(), r.dx.data());
  return r;
}

bool near(const std::vector<double>& a, const std::vector<double>& b, double relative) {
  bool same = a.size() == b.size();
  for (std::size_t i = 0; same && i < a.size(); ++i)
    same = std::abs(a[i] - b[i]) <= relative * std::max(1.0, std::abs(b[i])) || (std::isnan(a[i]) && std::isnan(b[i]));
  return same;
}

}  // namespace

TEST_CASE("normalization, clamp and grid in one pass: the bits of three passes") {
  for (const Case& c : cases()) {
    CAPTURE(c.rows, c.channels, c.normalize, static_cast<int>(c.clamp), c.on_grid, c.offset, c.zero_point,
            static_cast<int>(c.mode));
    const Problem p(c);
    for_each_isa([&] {
      for (const kernels::Store store : {kernels::Store::overwrite, kernels::Store::add}) {
        const Result one = one_pass(p, store), three = three_passes(p, store);
        CHECK(same_bits(one.y, three.y));
        CHECK(same_bits(one.dx, three.dx));
        CHECK(same_bits(one.dgamma, three.dgamma));
        CHECK(same_bits(one.dbeta, three.dbeta));
        const bool same_chunks = !c.normalize || 256 % c.channels == 0;
        if (same_chunks) {
          CHECK(same_bits(one.scale, three.scale));
          CHECK(same_bits(one.offset, three.offset));
        }
        CHECK(near(one.scale, three.scale, 1e-12));
        CHECK(near(one.offset, three.offset, 1e-12));
      }
    });
  }
}

TEST_CASE("the epilogue gives the same bytes in every setting") {
  for (const Case& c : {Case{3001, 16, true, Clamp::relu, true, false, false, StraightThrough::value_masked},
                        Case{1500, 48, true, Clamp::relu6, true, true, false, StraightThrough::masked},
                        Case{1, 100000, false, Clamp::relu, true, false, true, StraightThrough::value_masked}}) {
    const Problem p(c);
    std::optional<Result> first;
    for_each_setting([&] {
      const Result r = one_pass(p);
      if (!first) first = r;
      CHECK(same_bits(r.y, first->y));
      CHECK(same_bits(r.dx, first->dx));
      CHECK(same_bits(r.dgamma, first->dgamma));
      CHECK(same_bits(r.dbeta, first->dbeta));
      CHECK(same_bits(r.scale, first->scale));
      CHECK(same_bits(r.offset, first->offset));
    });
  }
}

TEST_CASE("the epilogue leaves out what nobody wants, and keeps NaN") {
  Problem p({64, 16, true, Clamp::relu, true, false, false, StraightThrough::value_masked});
  const Result all = one_pass(p);
  std::vector<float> dgamma(16, 1.0f);
  const auto sums = kernels::epilogue_gradient(p.steps(), p.x.data(), p.dy.data(),
                                               {nullptr, kernels::Store::overwrite, dgamma.data(), nullptr});
  CHECK(same_bits(dgamma, all.dgamma));
  CHECK(same_bits(sums.scale, all.scale));
  p.x[5] = NAN;
  std::vector<float> y(p.x.size());
  kernels::epilogue(p.steps(), p.x.data(), y.data());
  CHECK(std::isnan(y[5]));
  p.grid.hi = -1;
  CHECK_THROWS_AS(kernels::epilogue(p.steps(), p.x.data(), y.data()), ValueError);
}
