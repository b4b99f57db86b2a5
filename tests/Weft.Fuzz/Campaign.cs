using System.Diagnostics;
using System.Security.Cryptography;

namespace Weft.Fuzz;

/// <summary>Runs one target for a while: mutate, decode, keep what is new, write down what fails.</summary>
internal sealed class Campaign(FuzzTarget target, int seed)
{
    private const int CorpusLimit = 4000;

    /// <summary>A hundred times what the slowest target takes, on a machine that is busy with other things.</summary>
    private static readonly TimeSpan s_hang = TimeSpan.FromSeconds(30);

    private readonly Random _random = new(seed);
    private readonly HashSet<ulong> _signatures = [];
    private readonly BranchMap _branches = new();
    private volatile Tuple<byte[], long>? _running; // Read by the timer.
    private readonly List<byte[]> _corpus = [];

    public long Runs { get; private set; }

    public int CorpusSize => _corpus.Count;

    /// <summary>0: the assemblies are not instrumented.</summary>
    public int Branches => _branches.Branches;

    /// <summary>One failing input by the place where it failed.</summary>
    public Dictionary<string, (byte[] Input, Exception Failure)> Failures { get; } = [];

    public void Run(TimeSpan time)
    {
        long start = Stopwatch.GetTimestamp();
        if (_corpus.Count == 0)
        {
            foreach (byte[] input in target.Seeds.Concat(CrashVectors.Of(target.Name).Select(static v => v.Input)))
            {
                Try(input);
                _corpus.Add(input);
            }
        }

        Mutator mutator = new(_random);
        using Timer watch = new(_ => EndWhatHangs(), null, s_hang, s_hang);
        while (Stopwatch.GetElapsedTime(start) < time)
        {
            for (int i = 0; i < 64; i++)
            {
                byte[] input = mutator.Mutate(target, _corpus);
                if (Try(input))
                {
                    Keep(input);
                }
            }
        }
    }

    /// <summary>A decoder that does not return is a failure too; nobody but this timer can tell.</summary>
    private void EndWhatHangs()
    {
        if (_running is { } running && Stopwatch.GetElapsedTime(running.Item2) > s_hang)
        {
            Console.WriteLine($"fuzz {target.Name}: no end after {s_hang.TotalSeconds:0} s: {CrashVectors.Write(target.Name, running.Item1)}");
            Environment.Exit(1);
        }
    }

    private void Keep(byte[] input)
    {
        if (_corpus.Count < CorpusLimit)
        {
            _corpus.Add(input);
        }
        else
        {
            _corpus[_random.Next(_corpus.Count)] = input;
        }
    }

    /// <summary>True: a signature or a branch nobody has seen.</summary>
    private bool Try(byte[] input)
    {
        Runs++;
        try
        {
            BranchMap.Begin();
            _running = Tuple.Create(input, Stopwatch.GetTimestamp());
            bool isNew = _signatures.Add(target.Run(input));
            return _branches.End() | isNew;
        }
        catch (Exception failure)
        {
            string place = Place(failure);
            if (!Failures.TryGetValue(place, out (byte[] Input, Exception Failure) known) || known.Input.Length > input.Length)
            {
                Failures[place] = (input, failure);
            }

            return false;
        }
        finally
        {
            _running = null;
        }
    }

    /// <summary>Where it failed: the kind of failure and the innermost frame of ours.</summary>
    private static string Place(Exception failure)
    {
        string frame = failure.StackTrace?.Split('\n').FirstOrDefault(static l => l.Contains(" Weft.", StringComparison.Ordinal) && !l.Contains("Weft.Fuzz.", StringComparison.Ordinal))?.Trim() ?? string.Empty;
        return failure is InvariantException or Xunit.Sdk.XunitException ? failure.Message : $"{failure.GetType().Name} {frame}";
    }
}

/// <summary>Inputs that once broke a decoder: <c>tests/vectors/bgp/crashes/TARGET/HASH.bin</c>.</summary>
internal static class CrashVectors
{
    public static string Folder { get; } = Path.Combine(Root(), "tests", "vectors", "bgp", "crashes");

    public static IEnumerable<(string Target, string File, byte[] Input)> All() => Directory.Exists(Folder)
        ? Directory.EnumerateFiles(Folder, "*.bin", SearchOption.AllDirectories).Order(StringComparer.Ordinal)
            .Select(static f => (Path.GetFileName(Path.GetDirectoryName(f)!), Path.GetFileName(f), File.ReadAllBytes(f)))
        : [];

    public static IEnumerable<(string File, byte[] Input)> Of(string target) => All().Where(v => v.Target == target).Select(static v => (v.File, v.Input));

    public static string Write(string target, byte[] input)
    {
        string folder = Directory.CreateDirectory(Path.Combine(Folder, target)).FullName;
        string file = Path.Combine(folder, Convert.ToHexStringLower(SHA256.HashData(input))[..12] + ".bin");
        File.WriteAllBytes(file, input);
        return file;
    }

    private static string Root()
    {
        DirectoryInfo? folder = new(AppContext.BaseDirectory);
        while (folder is not null && !File.Exists(Path.Combine(folder.FullName, "build.sh")))
        {
            folder = folder.Parent;
        }

        return folder?.FullName ?? throw new DirectoryNotFoundException($"no build.sh above {AppContext.BaseDirectory}");
    }
}
