"""Small pilots in the way that notebooks are written: rows of rows.csv, steps before and after the split, a model.

Each is a list of cells, after IMPORTS. `left` is the target.
"""

IMPORTS = """
import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression, LinearRegression
from sklearn.metrics import accuracy_score, r2_score
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import LabelEncoder, OneHotEncoder, StandardScaler
"""
FIT = """
model = LogisticRegression(max_iter=500)
model.fit(X_train, y_train)
print(accuracy_score(y_test, model.predict(X_test)))
"""
SPLIT = "X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=0.25, random_state=3)"

READ = "df = pd.read_csv('rows.csv')"
INPUTS = "X = df[['age', 'income']]\ny = df['left']"
PILOTS = {
    "a mean of all rows": [READ, "df['age'] = df['age'].fillna(df['age'].mean())", INPUTS, SPLIT, FIT],
    "a scaler after the split": [
        READ,
        "df = df.fillna(0)",
        INPUTS,
        SPLIT,
        "s = StandardScaler()\nX_train = s.fit_transform(X_train)\nX_test = s.transform(X_test)",
        FIT,
    ],
    "a scaler before the split": [
        READ,
        "df = df.fillna(0)",
        INPUTS,
        "X = StandardScaler().fit_transform(X)",
        SPLIT,
        FIT,
    ],
    "dummies of the whole table": [
        READ,
        "df = df.fillna(0)\ny = df.pop('left')\nX = pd.get_dummies(df, drop_first=True)",
        SPLIT,
        FIT,
    ],
    "one encoder for many columns": [
        READ,
        "df = df.fillna(0)\nle = LabelEncoder()\nfor column in ['city', 'plan']:\n"
        "    df[column] = le.fit_transform(df[column])",
        "X = df[['age', 'income', 'city', 'plan']]\ny = df['left']",
        SPLIT,
        FIT,
    ],
    "map and replace": [
        READ,
        "df['city'] = df['city'].map({'Rome': 0, 'Oslo': 1, 'Bonn': 2})\n"
        "df['plan'] = df['plan'].replace({'basic': 0, 'plus': 1, 'pro': 2}).astype(int)",
        "df = df.fillna(df.median(numeric_only=True))\nX = df.drop(columns='left')\ny = df['left']",
        SPLIT,
        FIT,
    ],
    "rows left out": [
        READ,
        "df = df.dropna()\ndf = df[df['income'] > 20000]\ndf = df.drop_duplicates()",
        INPUTS,
        SPLIT,
        FIT,
    ],
    "bins of a number": [
        READ,
        "df = df.fillna(40)\ndf['band'] = pd.cut(df['age'], 4, labels=False)\n"
        "df['rich'] = pd.qcut(df['income'], 3, labels=False)",
        "X = df[['band', 'rich']]\ny = df['left']",
        SPLIT,
        FIT,
    ],
    "factorize and categories": [
        READ,
        "df = df.fillna(0)\ndf['city'] = pd.factorize(df['city'])[0]\n"
        "df['plan'] = df['plan'].astype('category').cat.codes",
        "X = df[['age', 'city', 'plan']]\ny = df['left']",
        SPLIT,
        FIT,
    ],
    "a table by group": [
        READ,
        "df = df.fillna(0)\nby_city = df.groupby('city')['income'].mean()\ndf['typical'] = df['city'].map(by_city)",
        "X = df[['age', 'typical']]\ny = df['left']",
        SPLIT,
        FIT,
    ],
    "a function of the author": [
        READ,
        "def clean(frame, fill):\n    frame = frame.copy()\n"
        "    frame['age'] = frame['age'].fillna(fill)\n    return frame",
        "df = clean(df, df['age'].median())",
        INPUTS,
        SPLIT,
        FIT,
    ],
    "a pipeline": [
        "from sklearn.pipeline import make_pipeline\nfrom sklearn.impute import SimpleImputer",
        READ,
        INPUTS,
        SPLIT,
        "model = make_pipeline(SimpleImputer(), StandardScaler(), LogisticRegression())\n"
        "model.fit(X_train, y_train)\nmodel.score(X_test, y_test)",
    ],
    "arrays by position": [
        READ,
        "df = df.fillna(0)\nX = df.iloc[:, 0:2].values\ny = df.iloc[:, -1].values",
        SPLIT,
        FIT,
    ],
    "columns in place": [
        READ,
        "df.drop(['city', 'plan'], axis=1, inplace=True)\ndf.dropna(inplace=True)",
        INPUTS,
        SPLIT,
        FIT,
    ],
}
