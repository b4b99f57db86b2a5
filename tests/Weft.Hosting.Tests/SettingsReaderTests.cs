using System.Collections;
using Weft.Hosting.Configuration;

namespace Weft.Hosting.Tests;

public sealed class SettingsReaderTests : IDisposable
{
    private static readonly Setting<long> s_as = Setting.Integer("router", "local-as", null, 1, uint.MaxValue, "The AS number.");
    private static readonly Setting<bool> s_install = Setting.Switch("router", "install-routes", @default: true, "Write routes.");
    private static readonly Setting<TimeSpan> s_hold = Setting.Duration("router", "hold-time", "90s", TimeSpan.FromSeconds(3), TimeSpan.FromHours(18), "Hold time.");
    private static readonly Setting<string> s_address = Setting.Text("neighbor:*", "address", string.Empty, "Address.");
    private static readonly ISetting[] s_known = [s_as, s_install, s_hold, s_address];

    private readonly string _file = Path.GetTempFileName();

    public void Dispose() => File.Delete(_file);

    [Fact]
    public void File_Environment_CommandLine_OverrideEachOtherInThisOrder()
    {
        SettingsReader fromFile = Read("[router]\nlocal-as = 1\n");
        SettingsReader fromEnvironment = Read("[router]\nlocal-as = 1\n", new Hashtable { ["WEFT__ROUTER__LOCAL_AS"] = "2" });
        SettingsReader fromArguments = SettingsReader.Load(_file, new Hashtable { ["WEFT__ROUTER__LOCAL_AS"] = "2" }, ("router", "local-as", "3"));

        Assert.Equal(1, fromFile.Get(s_as));
        Assert.Equal(2, fromEnvironment.Get(s_as));
        Assert.Equal(3, fromArguments.Get(s_as));
        Assert.Equal("environment variable WEFT__ROUTER__LOCAL_AS", fromEnvironment.Origin(s_as));
    }

    [Fact]
    public void Default_IsUsedWhenNothingIsSet()
    {
        SettingsReader reader = Read(string.Empty);

        Assert.True(reader.Get(s_install));
        Assert.Equal(TimeSpan.FromSeconds(90), reader.Get(s_hold));
        Assert.Empty(reader.Problems);
    }

    [Fact]
    public void EveryProblem_IsReported_WithFileSectionKeyAndReason()
    {
        SettingsReader reader = Read("[router]\nlocal-as = zero\ninstall-routes = perhaps\nhold-time = 1s\n");

        reader.Get(s_as);
        reader.Get(s_install);
        reader.Get(s_hold);

        Assert.Equal(3, reader.Problems.Count);
        Assert.Equal($"{_file}: [router] local-as: \"zero\": expected a whole number from 1 to 4294967295", reader.Problems[0]);
        Assert.StartsWith($"{_file}: [router] install-routes:", reader.Problems[1], StringComparison.Ordinal);
        Assert.Contains("3s to 18h", reader.Problems[2], StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("bgp.key", "/bgp.key")]
    [InlineData("other.key", "/weft_other.key")]
    public void FileWithoutASlash_IsACredentialOfTheUnit(string name, string expected)
    {
        string folder = Directory.CreateTempSubdirectory("weft-credentials-").FullName;
        File.WriteAllText(folder + expected, "secret");
        Setting<string> key = Setting.Text("neighbor:*", "password-file", string.Empty, "Key.", "path"), text = Setting.Text("neighbor:*", "description", string.Empty, "Text.");

        SettingsReader reader = Read($"[neighbor:a]\npassword-file = {name}\ndescription = {name}\n", new Hashtable { ["CREDENTIALS_DIRECTORY"] = folder });
        SettingsReader without = Read($"[neighbor:a]\npassword-file = {name}\n", new Hashtable());

        Assert.Equal(folder + expected, reader.Get(key, "a"));
        Assert.Equal(name, reader.Get(text, "a"));
        Assert.Equal(name, without.Get(key, "a"));
        Directory.Delete(folder, recursive: true);
    }

    [Fact]
    public void MissingRequiredKey_IsReported()
    {
        SettingsReader reader = Read("[neighbor:node1]\n");

        reader.Require(s_as);

        Assert.Equal([$"{_file}: [router] local-as: missing; expected 1..4294967295"], reader.Problems);
    }

    [Fact]
    public void UnknownKeyAndSection_AreReported_WithTheNearestKnownOne()
    {
        SettingsReader reader = Read("[router]\nlocal-sa = 1\n[ruoter]\nx = 1\n[neighbor:a]\nadress = 1\n");

        reader.ReportUnknown(s_known);

        Assert.Contains($"{_file}: [router] local-sa: unknown key; did you mean \"local-as\"?", reader.Problems);
        Assert.Contains($"{_file}: [ruoter] x: unknown section [ruoter]; did you mean [router]?", reader.Problems);
        Assert.Contains($"{_file}: [neighbor:a] adress: unknown key; did you mean \"address\"?", reader.Problems);
    }

    [Fact]
    public void Instances_AreTheNamesBehindThePrefix()
    {
        SettingsReader reader = Read("[neighbor:node2]\naddress = b\n[neighbor:node1]\naddress = a\n");

        Assert.Equal(["node1", "node2"], reader.Instances("neighbor"));
        Assert.Equal("b", reader.Get(s_address, "node2"));
    }

    [Fact]
    public void NamedFileThatIsMissing_IsAProblem_TheDefaultFileIsNot()
    {
        SettingsReader named = SettingsReader.Load("/nonexistent/weft.conf", new Hashtable());

        Assert.Equal(["/nonexistent/weft.conf: no such file"], named.Problems);
    }

    [Fact]
    public void DamagedFile_IsAProblemThatNamesTheLine()
    {
        SettingsReader reader = Read("[router]\nthis is no setting\n");

        Assert.Single(reader.Problems);
        Assert.Contains("this is no setting", reader.Problems[0], StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("500ms", 0.5)]
    [InlineData("90", 90)]
    [InlineData("90s", 90)]
    [InlineData("1.5m", 90)]
    [InlineData("2h", 7200)]
    public void Duration_IsReadWithItsUnit(string text, double seconds)
    {
        bool ok = Setting.TryParseDuration(text, out TimeSpan value);

        Assert.True(ok);
        Assert.Equal(TimeSpan.FromSeconds(seconds), value);
    }

    [Theory]
    [InlineData("")]
    [InlineData("s")]
    [InlineData("-1s")]
    [InlineData("1y")]
    [InlineData("1e99s")]
    public void WrongDuration_IsRefused(string text) => Assert.False(Setting.TryParseDuration(text, out _));

    private SettingsReader Read(string text, IDictionary? environment = null)
    {
        File.WriteAllText(_file, text);
        return SettingsReader.Load(_file, environment ?? new Hashtable());
    }
}
