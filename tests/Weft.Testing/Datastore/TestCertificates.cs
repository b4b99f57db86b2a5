using System.Diagnostics;

namespace Weft.Testing.Datastore;

/// <summary>An authority, a server certificate for 127.0.0.1 and a client certificate, made by the openssl command.</summary>
public sealed class TestCertificates : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("weft-tls-");

    private TestCertificates()
    {
    }

    public string CaFile => File("ca.pem");

    public string ServerCertFile => File("server.pem");

    public string ServerKeyFile => File("server.key");

    public string ClientCertFile => File("client.pem");

    public string ClientKeyFile => File("client.key");

    public static async Task<TestCertificates> MakeAsync()
    {
        TestCertificates made = new();
        await made.OpenSslAsync("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", made.File("ca.key"),
            "-out", made.CaFile, "-days", "2", "-subj", "/CN=weft test authority");
        await made.LeafAsync("server", "subjectAltName=IP:127.0.0.1\nextendedKeyUsage=serverAuth,clientAuth\n");
        await made.LeafAsync("client", "extendedKeyUsage=clientAuth\n");
        return made;
    }

    public void Dispose() => _folder.Delete(recursive: true);

    private async Task LeafAsync(string name, string extensions)
    {
        await System.IO.File.WriteAllTextAsync(File($"{name}.ext"), extensions);
        await OpenSslAsync("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", File($"{name}.key"),
            "-out", File($"{name}.csr"), "-subj", $"/CN={name}");
        await OpenSslAsync("x509", "-req", "-in", File($"{name}.csr"), "-CA", CaFile, "-CAkey", File("ca.key"), "-CAcreateserial",
            "-out", File($"{name}.pem"), "-days", "2", "-extfile", File($"{name}.ext"));
    }

    private string File(string name) => Path.Combine(_folder.FullName, name);

    private async Task OpenSslAsync(params string[] arguments)
    {
        using Process process = Process.Start(new ProcessStartInfo("openssl", arguments) { RedirectStandardError = true, WorkingDirectory = _folder.FullName })!;
        string error = await process.StandardError.ReadToEndAsync();
        await process.WaitForExitAsync();
        if (process.ExitCode != 0)
        {
            throw new InvalidOperationException($"openssl {string.Join(' ', arguments)}: {error}");
        }
    }
}
