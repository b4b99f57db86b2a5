using System.Xml.Linq;

namespace Weft.Architecture.Tests;

/// <summary>The table of floors in the design: a project references only what stands below it.</summary>
public sealed class FloorTests
{
    private static readonly Dictionary<string, string[]> s_allowed = new()
    {
        ["Weft"] = ["Weft.Node", "Weft.Cluster", "Weft.Ctl", "Weft.Lab", "Weft.Hosting", "Weft.Linux"],
        ["Weft.Node"] = ["Weft.Bgp", "Weft.Policy", "Weft.Datastore", "Weft.Ipam", "Weft.Dataplane", "Weft.Linux", "Weft.Hosting", "Weft.Model", "Weft.Primitives"],
        ["Weft.Cluster"] = ["Weft.Datastore", "Weft.Ipam", "Weft.Hosting", "Weft.Model", "Weft.Primitives"],
        ["Weft.Ctl"] = ["Weft.Datastore", "Weft.Ipam", "Weft.Hosting", "Weft.Model", "Weft.Primitives"],
        ["Weft.Lab"] = ["Weft.Linux", "Weft.Hosting", "Weft.Model", "Weft.Primitives"],
        ["Weft.Dataplane"] = ["Weft.Policy", "Weft.Linux", "Weft.Hosting", "Weft.Model", "Weft.Primitives"],
        ["Weft.Ipam"] = ["Weft.Datastore", "Weft.Model", "Weft.Primitives"],
        ["Weft.Bgp"] = ["Weft.Primitives", "Weft.Hosting"],
        ["Weft.Policy"] = ["Weft.Primitives", "Weft.Model"],
        ["Weft.Datastore"] = ["Weft.Model", "Weft.Hosting", "Weft.Primitives"],
        ["Weft.Linux"] = ["Weft.Primitives"],
        ["Weft.Hosting"] = ["Weft.Primitives"],
        ["Weft.Model"] = ["Weft.Primitives"],
        ["Weft.Primitives"] = [],
    };

    public static TheoryData<string> Projects =>
        [.. Directory.EnumerateFiles(Path.Combine(Repository.Root, "src"), "*.csproj", SearchOption.AllDirectories).Select(f => Path.GetFileNameWithoutExtension(f)!)];

    [Theory]
    [MemberData(nameof(Projects))]
    public void Project_ReferencesOnlyLowerFloors(string project)
    {
        XDocument file = XDocument.Load(Path.Combine(Repository.Root, "src", project, project + ".csproj"));

        string[] references = [.. file.Descendants("ProjectReference").Select(r => Path.GetFileNameWithoutExtension((string)r.Attribute("Include")!))];

        Assert.True(s_allowed.ContainsKey(project), $"{project} is not in the table of floors");
        Assert.Empty(references.Except(s_allowed[project]));
    }

    [Theory]
    [MemberData(nameof(Projects))]
    public void Project_HoldsWorkingCode(string project) => Assert.NotEmpty(Repository.SourceFiles(Path.Combine("src", project)));

    /// <summary>What a project must never touch, by the namespaces it would have to name.</summary>
    [Theory]
    [InlineData("Weft.Bgp", "System.Net.Sockets")]
    [InlineData("Weft.Bgp", "System.IO.File")]
    [InlineData("Weft.Policy", "System.Threading.Channels")]
    [InlineData("Weft.Policy", "System.Threading.Tasks")]
    [InlineData("Weft.Policy", "TimeProvider")]
    [InlineData("Weft.Primitives", "System.Net.Sockets.Socket")]
    [InlineData("Weft.Model", "System.Net.Sockets")]
    [InlineData("Weft.Ipam", "Weft.Linux")]
    [InlineData("Weft.Lab", "Weft.Node")]
    public void Project_DoesNotName(string project, string forbidden)
    {
        IEnumerable<string> offenders = Repository.SourceFiles(Path.Combine("src", project)).Where(file => Repository.Read(file).Contains(forbidden, StringComparison.Ordinal));

        Assert.Empty(offenders);
    }
}
