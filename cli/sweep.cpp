// bitgrad sweep
#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>

#include <CLI/App.hpp>
#include <algorithm>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <iostream>
#include <map>
#include <memory>
#include <thread>

#include <bitgrad/cli/commands.hpp>
#include <bitgrad/cli/interruption.hpp>
#include <bitgrad/cli/report.hpp>
#include <bitgrad/cli/run_directory.hpp>
#include <bitgrad/cli/text_table.hpp>
#include <bitgrad/cli/threads.hpp>

extern char** environ;

namespace bitgrad::cli {
namespace {

constexpr const char* help =
    R"(Every combination of the values becomes a run, a process of its own: bitgrad train --config FILE with these values, into
OUT/NAME. Its output goes to OUT/NAME.log. The same command again goes on where it was stopped (Ctrl-C, kill -9), and
repeats what failed. OUT/table.csv has a row per run, OUT/table.md one per combination, over its seeds.

Examples:
    bitgrad sweep --config base.json --grid weights=lsq:8,lsq:4,lsq:2 --grid activations=lsq:8,lsq:4 --grid seed=1,2,3 --out runs/bits
    bitgrad sweep --config runs/float/run.json --grid lr=0.001,0.002,0.004 --jobs 2 --out runs/lr)";

/// One axis of the grid.
struct Axis {
  std::string option;
  std::vector<std::string> values;
};

/// A point of the grid: a value per axis.
using Point = std::vector<std::string>;

std::vector<std::string> split(const std::string& text, char separator) {
  std::vector<std::string> parts;
  std::size_t begin = 0;
  for (std::size_t at = text.find(separator); at != std::string::npos; at = text.find(separator, begin)) {
    parts.push_back(text.substr(begin, at - begin));
    begin = at + 1;
  }
  parts.push_back(text.substr(begin));
  return parts;
}

Axis parse_axis(const std::string& text) {
  const std::size_t equals = text.find('=');
  Axis axis{text.substr(0, equals), {}};
  if (equals != std::string::npos) axis.values = split(text.substr(equals + 1), ',');
  const bool empty = std::ranges::any_of(axis.values, &std::string::empty);
  if (axis.option.empty() || axis.values.empty() || empty)
    fail<UsageError>("--grid ", text, ": expected an option of train and its values, weights=lsq:4,lsq:2");
  if (axis.option == "out" || axis.option == "config" || axis.option == "resume")
    fail<UsageError>("--grid ", text, ": --", axis.option, " is the sweep's own");
  return axis;
}

std::vector<Point> points_of(const std::vector<Axis>& axes) {
  std::vector<Point> points{{}};
  for (const Axis& axis : axes) {
    std::vector<Point> longer;
    for (const Point& point : points)
      for (const std::string& value : axis.values) {
        longer.push_back(point);
        longer.back().push_back(value);
      }
    points = std::move(longer);
  }
  return points;
}

/// A name for a directory: "weights-lsq-4_seed-1".
std::string name_of(const std::vector<Axis>& axes, const Point& point) {
  std::string name;
  for (std::size_t i = 0; i < axes.size(); ++i) name += message(i > 0 ? "_" : "", axes[i].option, '-', point[i]);
  for (char& c : name)
    if (std::isalnum(static_cast<unsigned char>(c)) == 0 && c != '.' && c != '_') c = '-';
  return name;
}

/// A process that runs this very program, so that quantizers of the user's own are there.
pid_t start(const std::vector<std::string>& arguments, const io::Path& log) {
  std::vector<char*> argv;
  for (const std::string& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
  argv.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, 1, log.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0644);
  posix_spawn_file_actions_adddup2(&actions, 1, 2);
  pid_t id = 0;
  const int error = ::posix_spawn(&id, "/proc/self/exe", &actions, nullptr, argv.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  if (error != 0) fail<IoError>("cannot start a run: ", std::strerror(error));
  return id;
}

struct SweepCommand {
  std::string config, out;
  std::vector<std::string> grid;
  int jobs = 1;
  int threads = 0;

  void run() const;

 private:
  std::vector<std::string> arguments_of(const std::vector<Axis>& axes, const Point& point,
                                        const std::string& name) const;
  int run_all(const std::vector<Axis>& axes, const std::vector<Point>& points) const;
  void write_tables(const std::vector<Axis>& axes, const std::vector<Point>& points) const;
};

std::vector<std::string> SweepCommand::arguments_of(const std::vector<Axis>& axes, const Point& point,
                                                    const std::string& name) const {
  const int processors = static_cast<int>(std::max(1U, std::thread::hardware_concurrency()));
  std::vector<std::string> arguments{
      "bitgrad",   "train",
      "--config",  config,
      "--out",     (io::Path(out) / name).string(),
      "--threads", std::to_string(threads > 0 ? threads : std::max(1, processors / jobs)),
      "--resume"};
  for (std::size_t i = 0; i < axes.size(); ++i) {
    arguments.push_back(message("--", axes[i].option));
    arguments.push_back(point[i]);
  }
  return arguments;
}

/// The number of runs that failed. Interrupted when the user stopped them.
int SweepCommand::run_all(const std::vector<Axis>& axes, const std::vector<Point>& points) const {
  const Interruption interruption;
  std::map<pid_t, std::string> running;
  std::size_t next = 0;
  int failed = 0;
  while (true) {
    while (next < points.size() && static_cast<int>(running.size()) < jobs && !Interruption::requested()) {
      const std::string name = name_of(axes, points[next]);
      running.emplace(start(arguments_of(axes, points[next], name), io::Path(out) / (name + ".log")), name);
      ++next;
    }
    if (running.empty()) break;
    int status = 0;
    const pid_t id = ::waitpid(-1, &status, 0);
    const auto found = running.find(id);
    if (found == running.end()) continue;
    const bool good = WIFEXITED(status) && WEXITSTATUS(status) == 0;
    std::cout << found->second << (good ? ": done" : ": failed, see its log") << std::endl;
    failed += good ? 0 : 1;
    running.erase(found);
  }
  if (Interruption::requested()) fail<Interrupted>("stopped; the same command goes on from there");
  return failed;
}

/// What a table needs to know of a finished run.
struct Result {
  Point point;
  Report report;
};

std::string number(double value) { return format("%.17g", value); }

std::string csv_of(const std::vector<Axis>& axes, const std::vector<Result>& results) {
  std::string text = "run";
  for (const Axis& axis : axes) text += message(',', axis.option);
  text += ",float_accuracy,quantized_accuracy,converted_accuracy,quantized_bytes,differing_codes,seconds\n";
  for (const Result& result : results) {
    const Report& r = result.report;
    text += name_of(axes, result.point);
    for (const std::string& value : result.point) text += message(',', value);
    text += message(',', number(r.float_accuracy), ',', number(r.quantized_accuracy), ',', number(r.converted_accuracy),
                    ',', r.quantized_bytes, ',', r.differing_codes, ',', number(r.seconds), '\n');
  }
  return text;
}

/// "91.22 ± 0.13": mean and sample standard deviation.
std::string spread(const std::vector<double>& values) {
  double mean = 0, squares = 0;
  for (const double value : values) mean += value / static_cast<double>(values.size());
  for (const double value : values) squares += (value - mean) * (value - mean);
  std::string text = format("%.2f", mean);
  if (values.size() > 1) text += format(" ± %.2f", std::sqrt(squares / static_cast<double>(values.size() - 1)));
  return text;
}

std::string markdown_of(const std::vector<Axis>& axes, const std::vector<Result>& results) {
  Row header;
  for (const Axis& axis : axes)
    if (axis.option != "seed") header.push_back(axis.option);
  for (const char* column : {"runs", "float %", "converted %", "KiB"}) header.emplace_back(column);
  std::vector<Row> rows{header};
  std::vector<std::pair<Point, std::vector<const Report*>>> groups;  // by everything but the seed
  for (const Result& result : results) {
    Point point;
    for (std::size_t i = 0; i < axes.size(); ++i)
      if (axes[i].option != "seed") point.push_back(result.point[i]);
    auto group = std::ranges::find(groups, point, [](const auto& each) { return each.first; });
    if (group == groups.end()) group = groups.insert(groups.end(), {point, {}});
    group->second.push_back(&result.report);
  }
  for (const auto& [point, reports] : groups) {
    std::vector<double> before, after;
    for (const Report* report : reports) {
      before.push_back(report->float_accuracy);
      after.push_back(report->converted_accuracy);
    }
    Row row(point.begin(), point.end());
    row.push_back(std::to_string(reports.size()));
    row.push_back(spread(before));
    row.push_back(spread(after));
    row.push_back(format("%.1f", static_cast<double>(reports.front()->quantized_bytes) / 1024));
    rows.push_back(row);
  }
  return markdown_table(rows);
}

void SweepCommand::write_tables(const std::vector<Axis>& axes, const std::vector<Point>& points) const {
  std::vector<Result> results;
  for (const Point& point : points) {
    const RunDirectory run{io::Path(out) / name_of(axes, point)};
    if (std::filesystem::exists(run.report())) results.push_back({point, read_report(run.report())});
  }
  const std::string markdown = markdown_of(axes, results);
  io::write_file_atomically(io::Path(out) / "table.csv", std::string_view(csv_of(axes, results)));
  io::write_file_atomically(io::Path(out) / "table.md", std::string_view(markdown));
  std::cout << markdown << results.size() << " of " << points.size() << " runs; "
            << (io::Path(out) / "table.csv").string() << std::endl;
}

void SweepCommand::run() const {
  if (jobs < 1 || jobs > 256) fail<UsageError>("--jobs is ", jobs, ", expected 1 to 256");
  check_threads(threads);
  io::read_file(config);  // missing: said here, once
  std::vector<Axis> axes;
  for (const std::string& text : grid) {
    axes.push_back(parse_axis(text));
    if (std::ranges::count(axes, axes.back().option, &Axis::option) > 1)
      fail<UsageError>("--grid ", text, ": --", axes.back().option, " is an axis already");
  }
  const std::vector<Point> points = points_of(axes);
  RunDirectory{out}.create();
  const int failed = run_all(axes, points);
  write_tables(axes, points);
  if (failed > 0) fail<Error>("sweep: ", failed, " of ", points.size(), " runs failed; their logs are in ", out);
}

}  // namespace

void add_sweep_command(CLI::App& program) {
  CLI::App* command = program.add_subcommand("sweep", "Run a grid of trainings into one table");
  command->footer(help);
  const auto options = std::make_shared<SweepCommand>();
  command->add_option("--config", options->config, "Options that all runs share, as train --config takes them")
      ->type_name("FILE")
      ->required();
  command->add_option("--grid", options->grid, "An option of train and its values, joined by commas; may be repeated")
      ->type_name("OPTION=VALUES")
      ->required();
  command->add_option("--out", options->out, "Directory for the runs and the tables")->type_name("DIR")->required();
  command->add_option("--jobs", options->jobs, "Runs at a time")->type_name("N")->capture_default_str();
  command->add_option("--threads", options->threads, "Threads of each; 0: processors by jobs")
      ->type_name("T")
      ->capture_default_str();
  command->callback([options] { options->run(); });
}

}  // namespace bitgrad::cli
