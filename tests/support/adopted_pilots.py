"""Pilots of each task in a folder of their own, as data scientists leave them, with their data beside them.

Each function writes a notebook and its data into a folder, and returns the notebook.
"""

from pathlib import Path

import numpy as np
import pandas as pd
from small_notebooks import write_notebook

_IMPORTS = "import numpy as np\nimport pandas as pd\nfrom sklearn.model_selection import train_test_split\n"


def titanic(folder: Path) -> Path:
    """Yes or no: holes, codes, dummies, rows that are left out, cells for show."""
    rng = np.random.default_rng(5)
    size = 500
    sex, klass = rng.choice(["male", "female"], size, p=[0.6, 0.4]), rng.integers(1, 4, size)
    age = np.where(rng.random(size) < 0.2, np.nan, rng.integers(1, 80, size))
    fare = (rng.gamma(2, 15, size) * (4 - klass)).round(2)
    odds = 2.2 * (sex == "female") - 0.8 * (klass - 2) - 0.6
    frame = pd.DataFrame(
        {
            "PassengerId": np.arange(1, size + 1),
            "Survived": (rng.random(size) < 1 / (1 + np.exp(-odds))).astype(int),
            "Pclass": klass,
            "Name": [f"Person {place}, {'Mrs' if one == 'female' else 'Mr'}." for place, one in enumerate(sex)],
            "Sex": sex,
            "Age": age,
            "Fare": fare,
            "Embarked": rng.choice(["S", "C", "Q", None], size, p=[0.7, 0.18, 0.1, 0.02]),
        }
    )
    frame.to_csv(folder / "train.csv", index=False)
    cells = [
        _IMPORTS + "from sklearn.ensemble import RandomForestClassifier\nfrom sklearn.metrics import accuracy_score",
        "df = pd.read_csv('/kaggle/input/titanic/train.csv')\ndf.head()",
        "df['Age'] = df['Age'].fillna(df['Age'].median())\ndf = df.dropna(subset=['Embarked'])",
        "df['Sex'] = df['Sex'].map({'male': 0, 'female': 1})\n"
        "X = pd.get_dummies(df[['Pclass', 'Sex', 'Age', 'Fare', 'Embarked']], columns=['Embarked'])\n"
        "y = df['Survived']",
        "df.describe()",
        "X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=0.25, random_state=42)",
        "model = RandomForestClassifier(n_estimators=60, max_depth=4, random_state=42)\nmodel.fit(X_train, y_train)",
        "print(accuracy_score(y_test, model.predict(X_test)))",
    ]
    return write_notebook(folder / "titanic.ipynb", cells)


def houses(folder: Path) -> Path:
    """A number: the model learns the logarithm of the price, and a seed is missing."""
    rng = np.random.default_rng(6)
    size = 400
    area, age = rng.normal(120, 30, size).clip(30).round(1), rng.integers(0, 90, size)
    zone = rng.choice(["north", "south", "old town"], size)
    noise = np.exp(rng.normal(0, 0.12, size))
    price = (1_500 * area * (1 - age / 300) * np.where(zone == "old town", 1.6, 1.0) * noise).round(-2)
    frame = pd.DataFrame({"Id": np.arange(size) + 1, "Area": area, "Age": age, "Zone": zone, "Sale Price": price})
    frame.loc[rng.choice(size, 30, replace=False), "Area"] = np.nan
    frame.to_csv(folder / "house prices.csv", index=False)
    cells = [
        _IMPORTS + "from sklearn.linear_model import Ridge\nfrom sklearn.metrics import r2_score",
        "houses = pd.read_csv('house prices.csv', index_col='Id')",
        "houses['Area'] = houses['Area'].fillna(houses['Area'].mean())",
        "y = np.log1p(houses['Sale Price'])\nX = pd.get_dummies(houses.drop(columns=['Sale Price']), drop_first=True)",
        "X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=0.3)",
        "ridge = Ridge(alpha=1.5)\nridge.fit(X_train, y_train)\npred = ridge.predict(X_test)\nr2_score(y_test, pred)",
    ]
    return write_notebook(folder / "house prices.ipynb", cells)


def flowers(folder: Path) -> Path:
    """One of three: the names of the classes are codes to the model, and the inputs are scaled outside of it."""
    rng = np.random.default_rng(7)
    kinds = np.array(["setosa", "versicolor", "virginica"])
    place = rng.integers(0, 3, 300)
    frame = pd.DataFrame(
        {
            "sepal length (cm)": (5 + 0.8 * place + rng.normal(0, 0.5, 300)).round(1),
            "petal length (cm)": (1.5 + 2 * place + rng.normal(0, 0.6, 300)).round(1),
            "petal width (cm)": (0.3 + 0.8 * place + rng.normal(0, 0.3, 300)).round(1),
            "species": kinds[place],
        }
    )
    frame.to_csv(folder / "flowers.csv", index=False)
    cells = [
        _IMPORTS + "from sklearn.metrics import accuracy_score\nfrom sklearn.neighbors import KNeighborsClassifier\n"
        "from sklearn.preprocessing import LabelEncoder, StandardScaler",
        "df = pd.read_csv('flowers.csv')",
        "df['species'] = LabelEncoder().fit_transform(df['species'])",
        "X, y = df.drop('species', axis=1), df['species']",
        "X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=0.3, random_state=1)",
        "scaler = StandardScaler()\nX_train = scaler.fit_transform(X_train)\nX_test = scaler.transform(X_test)",
        "for k in [3, 5]:\n    knn = KNeighborsClassifier(n_neighbors=k).fit(X_train, y_train)\n"
        "    print(k, accuracy_score(y_test, knn.predict(X_test)))",
    ]
    return write_notebook(folder / "flowers.ipynb", cells)


def messages(folder: Path) -> Path:
    """Texts: a vectorizer after the split, and a target that says yes in a word of its own."""
    rng = np.random.default_rng(8)
    spam, ham = ["win", "prize", "cash", "free", "claim", "urgent"], ["meeting", "lunch", "home", "thanks", "love"]
    both = ["call", "now", "you", "the", "a", "for", "text", "reply"]
    rows = []
    for _ in range(400):
        is_spam = rng.random() < 0.4
        words = [*rng.choice(spam if is_spam else ham, 3), *rng.choice(both, 5), *rng.choice(spam + ham, 1)]
        rows.append({"label": "spam" if is_spam else "ham", "message": " ".join(words)})
    pd.DataFrame(rows).to_csv(folder / "sms.csv", index=False)
    cells = [
        _IMPORTS + "from sklearn.feature_extraction.text import TfidfVectorizer\n"
        "from sklearn.metrics import accuracy_score, classification_report\n"
        "from sklearn.naive_bayes import MultinomialNB",
        "sms = pd.read_csv('sms.csv')\nsms['message'] = sms['message'].str.lower()",
        "X_train, X_test, y_train, y_test = train_test_split(\n"
        "    sms['message'], sms['label'], test_size=0.25, random_state=0\n)",
        "vectorizer = TfidfVectorizer(max_features=200)\nX_train = vectorizer.fit_transform(X_train)\n"
        "X_test = vectorizer.transform(X_test)",
        "nb = MultinomialNB().fit(X_train, y_train)\ny_pred = nb.predict(X_test)",
        "print(classification_report(y_test, y_pred))\naccuracy_score(y_test, y_pred)",
    ]
    return write_notebook(folder / "spam.ipynb", cells)


def hearts(folder: Path) -> Path:
    """Yes or no made of a grade: the target is determined by the raw column, and is not equal to it."""
    rng = np.random.default_rng(9)
    size = 360
    age, oldpeak = rng.integers(30, 78, size), rng.gamma(1.5, 1.0, size).round(1)
    strength = 0.06 * (age - 55) + 0.9 * (oldpeak - 1.3) + rng.normal(0, 0.7, size)
    frame = pd.DataFrame(
        {
            "age": age,
            "cp": rng.integers(0, 4, size),
            "oldpeak": oldpeak,
            "num": np.clip(np.ceil(strength), 0, 4).astype(int),
        }
    )
    frame.to_csv(folder / "heart.csv", index=False)
    cells = [
        _IMPORTS
        + "from sklearn.linear_model import LogisticRegression\nfrom sklearn.preprocessing import StandardScaler\n"
        "from sklearn.pipeline import make_pipeline",
        "data = pd.read_csv('heart.csv')\ndata['target'] = (data['num'] > 0).astype(int)",
        "X = data[['age', 'cp', 'oldpeak']].values\ny = data['target'].values",
        "X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=0.25, random_state=4, stratify=y)",
        "clf = make_pipeline(StandardScaler(), LogisticRegression(C=0.5))\nclf.fit(X_train, y_train)\n"
        "print('accuracy', clf.score(X_test, y_test))",
    ]
    return write_notebook(folder / "heart.ipynb", cells)
