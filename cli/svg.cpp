#include <bitgrad/cli/svg.hpp>

#include <algorithm>
#include <cmath>

#include <bitgrad/cli/html.hpp>
#include <bitgrad/core/error.hpp>

namespace bitgrad::cli {
namespace {

/// A linear map of numbers to pixels.
struct Axis {
  double low, high, from, to;
  double operator()(double value) const { return from + (value - low) / (high - low) * (to - from); }
};

/// A step of 1, 2 or 5 times a power of ten that cuts a range into about `wanted` parts.
double nice_step(double range, int wanted) {
  const double raw = range / wanted, power = std::pow(10.0, std::floor(std::log10(raw)));
  for (const double factor : {1.0, 2.0, 5.0})
    if (raw <= factor * power) return factor * power;
  return 10 * power;
}

std::string pixels(double value) { return shown(std::round(value * 10) / 10, 6); }

std::string line(double x1, double y1, double x2, double y2, const char* css) {
  return message("<line class=\"", css, "\" x1=\"", pixels(x1), "\" y1=\"", pixels(y1), "\" x2=\"", pixels(x2),
                 "\" y2=\"", pixels(y2), "\"/>");
}

std::string text(double x, double y, const char* css, const std::string& content) {
  return message("<text class=\"", css, "\" x=\"", pixels(x), "\" y=\"", pixels(y), "\">", escaped(content), "</text>");
}

std::string open_svg(int width, int height, const std::string& title) {
  return message("<svg viewBox=\"0 0 ", width, ' ', height, "\" role=\"img\" aria-label=\"", escaped(title), "\">");
}

std::string drawn(const Series& series, const Axis& x, const Axis& y, bool marked) {
  std::string path, marks;
  const bool few = marked && series.points.size() <= 40;
  for (const auto& [px, py] : series.points) {
    path += message(path.empty() ? "M" : "L", pixels(x(px)), ' ', pixels(y(py)));
    if (few)
      marks += message("<circle cx=\"", pixels(x(px)), "\" cy=\"", pixels(y(py)), "\" r=\"2.2\"><title>",
                       escaped(series.name), ", ", px, ": ", shown(py), "</title></circle>");
  }
  return message("<g style=\"--line:var(--series-", series.colour % series_colours, ")\" class=\"series",
                 series.dashed ? " dashed" : "", "\"><path d=\"", path, "\"/>", marks, "</g>");
}

std::string legend_of(const std::vector<Series>& series) {
  std::string items;
  for (const Series& each : series)
    items += message("<span class=\"key\"><svg viewBox=\"0 0 22 8\" width=\"22\" height=\"8\"><g class=\"series",
                     each.dashed ? " dashed" : "", "\" style=\"--line:var(--series-", each.colour % series_colours,
                     ")\"><path d=\"M0 4L22 4\"/></g></svg>", escaped(each.name), "</span>");
  return element("div", "class=\"legend\"", items);
}

/// Counts of a histogram as one path of bars that take `share` of their bin, or as an outline for share 0. A bin's
/// height is its values per step, so that wide and narrow bins compare; what is higher than `most` pixels is cut off.
std::string bars(const Histogram& histogram, const Axis& x, double scale, double bottom, double most, double share,
                 const char* css) {
  const double width = (histogram.high - histogram.low) / static_cast<double>(histogram.counts.size());
  std::string path = share > 0 ? "" : message('M', pixels(x(histogram.low)), ' ', pixels(bottom));
  for (std::size_t i = 0; i < histogram.counts.size(); ++i) {
    const double from = histogram.low + static_cast<double>(i) * width,
                 count = static_cast<double>(histogram.counts[i]);
    const double height = count > 0 ? std::clamp(count / width * scale, 0.6, most) : 0;
    if (share <= 0) {
      path += message('V', pixels(bottom - height), 'H', pixels(x(from + width)));
    } else if (height > 0) {
      const double left = x(from + width * (1 - share) / 2), right = x(from + width * (1 + share) / 2);
      path += message('M', pixels(left), ' ', pixels(bottom), 'V', pixels(bottom - height), 'H', pixels(right), 'V',
                      pixels(bottom), 'Z');
    }
  }
  return message("<path class=\"", css, "\" d=\"", path, "\"/>");
}

/// The height that a chart should have room for: a single bin that towers over the others, the zeros behind a ReLU,
/// would leave them flat.
double room_for(const Histogram& histogram) {
  const double width = (histogram.high - histogram.low) / static_cast<double>(histogram.counts.size());
  std::vector<std::int64_t> counts = histogram.counts;
  std::ranges::sort(counts, std::greater{});
  const auto first = static_cast<double>(counts.front());
  const double second = counts.size() > 1 ? static_cast<double>(counts[1]) : first;
  return (second > 0 ? std::min(first, 1.25 * second) : first) / width;
}

}  // namespace

std::string line_chart(const std::vector<Series>& series, const std::string& title, const std::string& unit,
                       Across across) {
  // Of three charts in a row, or of one over the width of the page: in both the text has about the size it asks for.
  const bool rates = across == Across::rates;
  const int width = rates ? 620 : 320, height = rates ? 300 : 200;
  const double left = 46, right = width - 8, top = 12, bottom = height - 34;
  double x0 = 1e300, x1 = -1e300, y0 = 1e300, y1 = -1e300;
  for (const Series& each : series)
    for (const auto& [px, py] : each.points) {
      x0 = std::min(x0, px);
      x1 = std::max(x1, px);
      y0 = std::min(y0, py);
      y1 = std::max(y1, py);
    }
  if (x0 > x1) return "";
  if (x1 - x0 < 1) x1 = x0 + 1;
  if (y1 - y0 < 1e-9) y1 = y0 + 1;
  const double y_step = nice_step(y1 - y0, 4), x_step = std::max(1.0, nice_step(x1 - x0, 6));
  const Axis x{x0, x1, left + 6, right - 6};
  const Axis y{std::floor(y0 / y_step) * y_step, std::ceil(y1 / y_step) * y_step, bottom, top};
  std::string svg = open_svg(width, height, title);
  for (double at = y.low; at <= y.high + y_step / 2; at += y_step)
    svg += line(left, y(at), right, y(at), "gridline") +
           text(left - 6, y(at) + 3.5, "tick end", shown(std::abs(at) < y_step / 1e6 ? 0 : at, 6));
  for (double at = std::ceil(x0 / x_step) * x_step; at <= x1 + 1e-9; at += x_step)
    svg += text(x(at), bottom + 16, "tick middle", rates ? message("1e", shown(at, 6)) : shown(at, 6));
  svg += text((left + right) / 2, height - 3, "tick middle", rates ? "learning rate" : "epoch");
  for (const Series& each : series) svg += drawn(each, x, y, !rates);
  const std::string heading = element("h3", "", message(escaped(title), " <small>", escaped(unit), "</small>"));
  return element("div", "class=\"chart\"", heading + svg + "</svg>" + legend_of(series));
}

std::string histogram_chart(const QuantizedTensor& tensor) {
  constexpr int width = 320, height = 132, left = 8, right = 312, top = 8, bottom = 108;
  if (tensor.before.counts.empty() || tensor.levels.empty()) return "";
  const Axis x{tensor.before.low, tensor.before.high, left, right};
  const double peak = room_for(tensor.before);
  const double scale = peak > 0 ? (bottom - top) / peak : 0;
  std::string svg = open_svg(width, height, tensor.tensor + " before and after quantization");
  const bool few = tensor.levels.size() <= 32 && tensor.levels.size() > 2;
  svg += bars(tensor.before, x, scale, bottom, bottom - top, 1, "before");
  svg += few ? bars(tensor.after, x, scale, bottom, bottom - top, 0.4, "after")
             : bars(tensor.after, x, scale, bottom, bottom - top, 0, "outline");
  for (const double level : tensor.levels) svg += line(x(level), bottom, x(level), bottom + (few ? 5 : 7), "level");
  svg += line(left, bottom, right, bottom, "axis");
  const double first = tensor.levels.front(), last = tensor.levels.back();
  svg += line(x(first - 0.5), top, x(first - 0.5), bottom, "edge") +
         line(x(last + 0.5), top, x(last + 0.5), bottom, "edge");
  svg +=
      text(x(first), bottom + 18, "tick middle", shown(first)) + text(x(last), bottom + 18, "tick middle", shown(last));
  return svg + "</svg>";
}

}  // namespace bitgrad::cli
