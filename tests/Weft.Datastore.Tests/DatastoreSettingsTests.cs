using System.Collections;
using Weft.Hosting.Configuration;

namespace Weft.Datastore.Tests;

public sealed class DatastoreSettingsTests
{
    [Fact]
    public void NothingSet_IsTheStoreOfThisHost()
    {
        DatastoreSettings settings = Parse(out SettingsReader reader);

        Assert.Empty(reader.Problems);
        Assert.False(DatastoreSettings.IsConfigured(reader));
        Assert.Equal(new Uri("http://127.0.0.1:2379"), Assert.Single(settings.Endpoints));
        Assert.Equal(TimeSpan.FromSeconds(5), settings.RequestTimeout);
    }

    [Fact]
    public void EverySetting_IsRead()
    {
        DatastoreSettings settings = Parse(
            out SettingsReader reader, ("endpoints", "https://a:1, https://[::1]:2"), ("ca-file", "/ca"), ("cert-file", "/c"), ("key-file", "/k"), ("username", "u"),
            ("password-file", "/p"), ("request-timeout", "750ms"));

        Assert.Empty(reader.Problems);
        Assert.True(DatastoreSettings.IsConfigured(reader));
        Assert.Equal(["https://a:1", "https://[::1]:2"], settings.Endpoints.Select(e => e.GetLeftPart(UriPartial.Authority)));
        Assert.Equal(("/ca", "/c", "/k", "u", "/p"), (settings.CaFile, settings.CertFile, settings.KeyFile, settings.Username, settings.PasswordFile));
        Assert.Equal(TimeSpan.FromMilliseconds(750), settings.RequestTimeout);
    }

    [Theory]
    [InlineData("endpoints", "etcd:2379", "expected http://HOST:PORT")]
    [InlineData("endpoints", "http://a:1/path", "expected http://HOST:PORT")]
    [InlineData("endpoints", " , ", "at least one endpoint")]
    [InlineData("cert-file", "/c", "cert-file and key-file go together")]
    [InlineData("password-file", "/p", "username and password-file go together")]
    [InlineData("request-timeout", "0s", "expected a duration")]
    public void WrongSetting_IsReportedWithItsReason(string key, string value, string reason)
    {
        Parse(out SettingsReader reader, (key, value));

        Assert.Contains(reason, Assert.Single(reader.Problems), StringComparison.Ordinal);
    }

    private static DatastoreSettings Parse(out SettingsReader reader, params (string Key, string Value)[] settings)
    {
        // An empty file and no environment: what the machine has must not change the result.
        reader = SettingsReader.Load("/dev/null", new Hashtable(), [.. settings.Select(s => ("datastore", s.Key, s.Value))]);
        return DatastoreSettings.Parse(reader);
    }
}
