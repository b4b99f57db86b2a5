using System.Text.RegularExpressions;

namespace Weft.Architecture.Tests;

/// <summary>Rules of the style guide that a machine can check.</summary>
public sealed partial class SourceRuleTests
{
    private const int MaxLines = 800;

    private static readonly string[] s_forbidden =
    [
        "DateTime.Now", "DateTime.UtcNow", "DateTimeOffset.Now", "DateTimeOffset.UtcNow", "Thread.Sleep(", "async void", "NotImplementedException", "// TODO", "FIXME", "GC.Collect(",
        "catch (Exception) { }",
    ];

    [Fact]
    public void File_IsShorterThan800Lines()
    {
        string[] tooLong = [.. Repository.SourceFiles("src").Where(file => Repository.Read(file).Count(c => c == '\n') > MaxLines)];

        Assert.Empty(tooLong);
    }

    [Fact]
    public void Namespace_EqualsFolder()
    {
        List<string> wrong = [];
        foreach (string file in Repository.SourceFiles("src"))
        {
            Match match = NamespaceLine().Match(Repository.Read(file));
            string expected = Path.GetDirectoryName(file)!["src/".Length..].Replace('/', '.');
            if (match.Success && match.Groups[1].Value != expected)
            {
                wrong.Add($"{file}: {match.Groups[1].Value}");
            }
        }

        Assert.Empty(wrong);
    }

    [Fact]
    public void Source_AvoidsWhatTheStyleGuideForbids()
    {
        string[] offenders =
        [
            .. from file in Repository.SourceFiles("src")
               from word in s_forbidden
               where Repository.Read(file).Contains(word, StringComparison.Ordinal)
               select $"{file}: {word}",
        ];

        Assert.Empty(offenders);
    }

    [Fact]
    public void Unsafe_StandsOnlyInNative()
    {
        // A measurement quoted beside the word is the other licence the style guide gives (Weft.Bgp's tables).
        string[] offenders =
        [
            .. Repository.SourceFiles("src").Where(file => !file.Contains("Weft.Linux/Native/", StringComparison.Ordinal))
                .Where(file => UnsafeWord().IsMatch(Repository.Read(file)) && !Repository.Read(file).Contains("measured", StringComparison.OrdinalIgnoreCase)),
        ];

        Assert.Empty(offenders);
    }

    [Fact]
    public void LogEventId_IsUniqueInTheHouse()
    {
        string[] repeated =
        [
            .. Repository.SourceFiles("src")
                .SelectMany(file => LogEvent().Matches(Repository.Read(file)).Select(m => m.Groups[1].Value))
                .GroupBy(id => id).Where(group => group.Count() > 1).Select(group => group.Key),
        ];

        Assert.Empty(repeated);
    }

    [Fact]
    public void Source_HasNoModuleInitialiser()
    {
        Assert.DoesNotContain(Repository.SourceFiles("src"), file => Repository.Read(file).Contains("[ModuleInitializer]", StringComparison.Ordinal));
    }

    [GeneratedRegex(@"^namespace ([\w.]+);", RegexOptions.Multiline)]
    private static partial Regex NamespaceLine();

    [GeneratedRegex(@"\bunsafe\b (?:partial |static |class|struct|\{)", RegexOptions.None)]
    private static partial Regex UnsafeWord();

    [GeneratedRegex(@"LoggerMessage\(\s*(?:EventId\s*=\s*)?(\d+)", RegexOptions.None)]
    private static partial Regex LogEvent();
}
