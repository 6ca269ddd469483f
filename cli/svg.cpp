#include <bitgrad/cli/svg.hpp>

#include <algorithm>
#include <cmath>
#include <numbers>
#include <numeric>

#include <bitgrad/cli/html.hpp>
#include <bitgrad/cli/text_table.hpp>
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

std::string open_svg(int width, int height, const std::string& title, const std::string& attributes = "") {
  return message("<svg viewBox=\"0 0 ", width, ' ', height, "\" role=\"img\" aria-label=\"", escaped(title), '"',
                 attributes, '>');
}

/// Attributes of a line's group.
std::string line_style(const Series& series) {
  const int turn = series.colour / series_colours % series_turns;
  return message("class=\"series", turn > 0 ? message(" turn-", turn) : "", series.dashed ? " dashed" : "",
                 "\" style=\"--line:var(--series-", series.colour % series_colours, ")\"");
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
  return message("<g ", line_style(series), "><path d=\"", path, "\"/>", marks, "</g>");
}

std::string legend_of(const std::vector<Series>& series) {
  std::string items;
  for (const Series& each : series)
    items += message("<span class=\"key\"><svg viewBox=\"0 0 36 8\" width=\"36\" height=\"8\"><g ", line_style(each),
                     "><path d=\"M0 4L36 4\"/></g></svg>", escaped(each.name), "</span>");
  if (std::ranges::any_of(series, [](const Series& each) { return each.colour >= series_colours; }))
    items += "<span>After six, colours come again, with other dashes.</span>";
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

// ---- confusion matrices ----

/// The text, or as much of it as takes `most` characters with an ellipsis behind it.
std::string cut(const std::string& text, std::size_t most) {
  if (characters(text) <= most) return text;
  std::string start = text;
  while (characters(start) >= most) {
    while ((start.back() & 0xC0) == 0x80) start.pop_back();
    start.pop_back();
  }
  return start + "…";
}

/// Where the parts of a matrix lie, in pixels. It fits the page with up to some 400 classes, and then grows.
struct MatrixLayout {
  std::vector<std::string> names;
  double cell_width, cell_height, font;
  double name_width;  ///< of the longest, about
  int turned;         ///< degrees: names of columns that are wider than those lean, or stand where these are narrow
  double left, top, right, bottom;

  explicit MatrixLayout(const std::vector<std::string>& class_names) {
    const auto classes = static_cast<double>(class_names.size());
    cell_width = std::clamp(880 / classes, 2.0, 46.0);
    cell_height = std::min(cell_width, 28.0);
    font = std::clamp(cell_height - 1, 8.0, 12.0);
    std::size_t longest = 1;
    for (const std::string& name : class_names) {
      names.push_back(cut(name, 16));
      longest = std::max(longest, characters(names.back()));
    }
    name_width = glyph * font * static_cast<double>(longest);
    turned = name_width <= cell_width - 4 ? 0 : cell_width > 20 ? 45 : 90;
    left = name_width + 28;
    top = name_width * std::sin(radians()) + font + 24;
    right = left + classes * cell_width;
    bottom = top + classes * cell_height;
  }

  double x(std::size_t column) const { return left + static_cast<double>(column) * cell_width; }
  double y(std::size_t row) const { return top + static_cast<double>(row) * cell_height; }
  int width() const { return static_cast<int>(right + 8 + (turned > 0 ? name_width * std::cos(radians()) : 0)); }
  int height() const { return static_cast<int>(bottom + 8); }

  static constexpr double glyph = 0.6;  ///< width of an average character, in sizes of the font

 private:
  double radians() const { return turned * std::numbers::pi / 180; }
};

std::string turned_text(double x, double y, int degrees, const char* css, const std::string& content) {
  return message("<g transform=\"translate(", pixels(x), ',', pixels(y), ") rotate(-", degrees, ")\">",
                 text(0, 0, css, content), "</g>");
}

/// The names of rows and columns; every so many of them where not all fit.
std::string names_of(const MatrixLayout& at) {
  std::string svg = text((at.left + at.right) / 2, 12, "middle", "prediction") +
                    turned_text(12, (at.top + at.bottom) / 2, 90, "middle", "label");
  const auto every = static_cast<std::size_t>(std::ceil(at.font / (at.cell_height + 1)));
  const double half_letter = 0.35 * at.font;
  for (std::size_t i = 0; i < at.names.size(); i += every) {
    const double column = at.x(i) + at.cell_width / 2, row = at.y(i) + at.cell_height / 2;
    svg += text(at.left - 6, row + half_letter, "end", at.names[i]);
    svg += at.turned == 0 ? text(column, at.top - 6, "middle", at.names[i])
                          : turned_text(column + half_letter, at.top - 5, at.turned, "start", at.names[i]);
  }
  return message("<g class=\"names\" style=\"font-size:", pixels(at.font), "px\">", svg, "</g>");
}

std::int64_t sum(const std::vector<std::int64_t>& counts) {
  return std::accumulate(counts.begin(), counts.end(), std::int64_t{0});
}

struct ConfusionChart {
  const std::vector<std::vector<std::int64_t>>& confusion;
  const std::vector<std::string>& class_names;
  MatrixLayout at{class_names};

  std::string svg() const {
    std::int64_t right = 0, images = 0, most = 0;
    std::string cells;
    for (std::size_t label = 0; label < confusion.size(); ++label) {
      right += confusion[label][label];
      images += sum(confusion[label]);
      most = std::max(most, std::ranges::max(confusion[label]));
      cells += row(label);
    }
    const double font = std::min(12.0, (at.cell_width - 4) / (at.glyph * static_cast<double>(grouped(most).size())));
    const std::string title = message("Confusion matrix of ", confusion.size(), " classes: ", grouped(right), " of ",
                                      grouped(images), " images right");
    return open_svg(at.width(), at.height(), title, message(" style=\"width:", at.width(), "px\"")) + names_of(at) +
           message("<g class=\"cells\" style=\"font-size:", pixels(font), "px\">", cells, "</g>") +
           message("<path class=\"frame\" d=\"M", pixels(at.left), ' ', pixels(at.top), 'H', pixels(at.right), 'V',
                   pixels(at.bottom), 'H', pixels(at.left), "Z\"/></svg>");
  }

 private:
  std::string row(std::size_t label) const {
    const bool complete = confusion.size() <= 32, written = at.cell_width >= 36;
    const std::int64_t all = sum(confusion[label]);
    std::string cells;
    for (std::size_t prediction = 0; prediction < confusion.size(); ++prediction) {
      const std::int64_t count = confusion[label][prediction];
      if (count == 0 && !complete) continue;
      cells += shade(label, prediction, all);
      if (written)
        cells += text(at.x(prediction) + at.cell_width / 2, at.y(label) + at.cell_height / 2 + 4,
                      count == 0 ? "zero" : "count", grouped(count));
    }
    return cells;
  }

  /// With what it says when it is pointed at: "cat taken for dog: 12 of 1,000".
  std::string shade(std::size_t label, std::size_t prediction, std::int64_t all) const {
    const std::int64_t count = confusion[label][prediction];
    // A single image of thousands has to be seen as well.
    const double opacity = count == 0 ? 0 : 0.1 + 0.6 * static_cast<double>(count) / static_cast<double>(all);
    const std::string outcome =
        label == prediction ? " right" : message(" taken for ", escaped(class_names[prediction]));
    return message("<path d=\"M", pixels(at.x(prediction)), ' ', pixels(at.y(label)), 'h', pixels(at.cell_width), 'v',
                   pixels(at.cell_height), "h-", pixels(at.cell_width), "z\" fill-opacity=\"", shown(opacity, 3),
                   "\"><title>", escaped(class_names[label]), outcome, ": ", grouped(count), " of ", grouped(all),
                   "</title></path>");
  }
};

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

std::string confusion_chart(const std::vector<std::vector<std::int64_t>>& confusion,
                            const std::vector<std::string>& class_names) {
  const std::size_t classes = class_names.size();
  const auto fits = [&](const auto& row) { return row.size() == classes; };
  if (confusion.size() != classes || !std::ranges::all_of(confusion, fits))
    fail<ValueError>("confusion_chart: ", confusion.size(), " rows for ", classes, " classes, expected ", classes,
                     " rows of ", classes, " counts");
  return ConfusionChart{confusion, class_names}.svg();
}

}  // namespace bitgrad::cli
